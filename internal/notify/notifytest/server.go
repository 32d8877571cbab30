// Package notifytest is a stand-in for GOV.UK Notify's v2 API, as strict as the
// original in what it refuses and how it says so (docs/facts.md, section A). It is an
// http.Handler, fit for tests and for programs alike: it can be asked what it
// accepted, and told to be slow, to refuse, to hang up or to accept late.
//
// Not imitated: letters, previews, the cleaning of sanitise_content_for, key types
// other than live, and delivery receipts; every message is delivered at once.
package notifytest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// DefaultKey is the API key of a Server whose Config names none.
const DefaultKey = "sandbox-26785a09-ab16-4eb0-8407-a37497a57506-3d844edf-8d35-48ac-975b-e847b4f122b0"

// Ids of the reply-to addresses that a Server knows if its Config names none.
const (
	DoNotReplyID   = "8e222534-7f05-4972-86e3-17c5d9f894e2"
	SupportReplyID = "4c39f5d2-9a3c-4a7e-8f0b-6b9f7e3a1d55"
)

// Config is what the imitated service looks like; the zero value is a live service
// with all templates and without limits.
type Config struct {
	// Key is the only valid API key; empty means DefaultKey.
	Key string
	// Templates are what the service has; nil means DefaultTemplates().
	Templates []Template
	// ReplyTo are the ids of its reply-to addresses; nil means the two above.
	ReplyTo []string
	// RatePerMinute is the size of the rate limit's bucket; Notify's is 3000, and 0
	// means no limit.
	RatePerMinute int
	// PerDay is how many emails, and how many texts, it may send between midnights
	// UTC; Notify's is 250,000, and 0 means no limit.
	PerDay int
	// UKOnly refuses texts to numbers abroad.
	UKOnly bool
	// Now is its clock; nil means time.Now.
	Now func() time.Time
}

// Server is the stand-in. Serve it, or let Start do so.
type Server struct {
	cfg Config
	mux *http.ServeMux
	url string

	mu        sync.Mutex
	script    Script
	key       parsedKey
	revoked   []parsedKey
	bucket    bucket
	daily     daily
	catalogue catalogue
	store     store
	texts     []ReceivedText
}

// New returns a Server that is not served yet. It panics on a Config.Key that is no
// key, which only a programmer can give.
func New(cfg Config) *Server {
	if cfg.Key == "" {
		cfg.Key = DefaultKey
	}
	if cfg.Templates == nil {
		cfg.Templates = DefaultTemplates()
	}
	if cfg.ReplyTo == nil {
		cfg.ReplyTo = []string{DoNotReplyID, SupportReplyID}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Server{cfg: cfg, key: mustParseKey(cfg.Key), bucket: newBucket(cfg.RatePerMinute), store: newStore()}
	for _, t := range cfg.Templates {
		s.catalogue.set(t, cfg.Now())
	}
	s.routes()
	return s
}

// TB is the part of testing.TB that Start needs; programs that link this package
// do not link package testing.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Start serves a new Server on a free loopback port until the test ends.
func Start(t TB, cfg Config) *Server {
	t.Helper()
	s := New(cfg)
	stop, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatalf("start the Notify stand-in: %v", err)
	}
	t.Cleanup(stop)
	return s
}

// Listen serves the stand-in on an address and returns once it takes requests. Stop
// cuts all connections, also those of requests that hang.
func (s *Server) Listen(addr string) (stop func(), err error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for the Notify stand-in: %w", err)
	}
	s.url = "http://" + listener.Addr().String()
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	return func() {
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			panic(err) // The listener is ours and nobody else can close it.
		}
	}, nil
}

// URL is the base URL once Start or Listen has returned.
func (s *Server) URL() string { return s.url }

// Key is the API key that it takes.
func (s *Server) Key() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.key.text
}

// RevokeKey makes the present key worthless; only the new one is taken from now on.
func (s *Server) RevokeKey(newKey string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked = append(s.revoked, s.key)
	s.key = mustParseKey(newKey)
}

// SetTemplate adds a template, or replaces the one of the same name and type by a
// new one with another id.
func (s *Server) SetTemplate(t Template) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catalogue.set(t, s.cfg.Now())
}

// DeleteTemplate archives all templates of a name, as an operator does in Notify:
// not listed any more, and refused as deleted.
func (s *Server) DeleteTemplate(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catalogue.archive(name)
}

// ResetTemplates gives every template a new id and makes archived ones live again;
// the old ids are unknown from then on.
func (s *Server) ResetTemplates() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catalogue.renew(s.cfg.Now())
}

// Accepted lists every message that was answered with 201, or would have been had
// the script not cut the answer, in that order; smoke-test recipients included.
func (s *Server) Accepted() []Accepted {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Accepted(nil), s.store.accepted...)
}

// Wait returns all accepted messages as soon as there are n, or the context's error.
func (s *Server) Wait(ctx context.Context, n int) ([]Accepted, error) {
	for {
		s.mu.Lock()
		have, changed := len(s.store.accepted), s.store.changed
		s.mu.Unlock()
		if have >= n {
			return s.Accepted(), nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s.Accepted(), fmt.Errorf("wait for message %d, have %d: %w", n, have, ctx.Err())
		}
	}
}
