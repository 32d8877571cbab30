// Package trouble breaks the world around the service on purpose, so that anyone can see
// what becomes of the messages meanwhile: GOV.UK Notify, S3 and the worker itself.
package trouble

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/govwifi/user-signup/internal/notify/notifytest"
	"github.com/govwifi/user-signup/internal/s3/s3test"
)

// Notify is how GOV.UK Notify behaves.
type Notify string

// The ways.
const (
	NotifyWell     Notify = "well"
	NotifySlow     Notify = "slow"
	NotifyRefusing Notify = "refusing"
	NotifyDown     Notify = "down"
)

// Slowness is how long a slow Notify takes for a message: long enough to kill the worker
// in the middle of one.
const Slowness = 5 * time.Second

// Worker is the process that works the queues.
type Worker interface {
	// Kill ends it as kill -9 does. It is no error if it is gone already.
	Kill() error
	// Start brings it up, unless it runs.
	Start() error
	// Process is its id, 0 while it does not run.
	Process() int
}

// Parts are what can be broken, and who is told.
type Parts struct {
	Notify *notifytest.Server
	// NotifyAddr is where it listens, and StopNotify makes it stop.
	NotifyAddr string
	StopNotify func()
	S3         *s3test.Server
	Worker     Worker
	// Asked is told of each request that looks for a reference, Changed that a switch
	// moved.
	Asked   func(reference string, at time.Time)
	Changed func()
}

// Switches are safe for concurrent use.
type Switches struct {
	parts Parts

	mu     sync.Mutex
	notify Notify
	s3Down bool
}

// New makes switches with which all is well.
func New(p Parts) *Switches {
	s := &Switches{parts: p, notify: NotifyWell}
	p.Notify.Play(s.script)
	return s
}

// State is where the switches are.
type State struct {
	Notify Notify
	S3Down bool
	// Worker is the id of its process, 0 while it does not run.
	Worker int
}

// State is where the switches are now.
func (s *Switches) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return State{s.notify, s.s3Down, s.parts.Worker.Process()}
}

// script is what GOV.UK Notify does with each request.
func (s *Switches) script(r notifytest.Request) notifytest.Fault {
	if !r.IsSend() && r.Reference != "" {
		s.parts.Asked(r.Reference, time.Now())
	}
	s.mu.Lock()
	now := s.notify
	s.mu.Unlock()
	switch {
	case !r.IsSend():
	case now == NotifySlow:
		return notifytest.Fault{Delay: Slowness}
	case now == NotifyRefusing && r.Endpoint == "sms":
		return notifytest.Fault{Status: http.StatusBadRequest, Error: "ValidationError", Message: "phone_number Not enough digits"}
	case now == NotifyRefusing:
		return notifytest.Fault{Status: http.StatusBadRequest, Error: "ValidationError", Message: "email_address Not a valid email address"}
	}
	return notifytest.Fault{}
}

// ErrUnknown says that there is no such switch.
var ErrUnknown = errors.New("there is no such switch")

// SetNotify moves the switch of GOV.UK Notify. Down, nobody listens at its address.
func (s *Switches) SetNotify(to Notify) error {
	defer s.parts.Changed()
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.notify
	switch to {
	case NotifyDown:
		if was != NotifyDown {
			s.parts.StopNotify()
		}
	case NotifyWell, NotifySlow, NotifyRefusing:
		if was != NotifyDown {
			break
		}
		stop, err := serve(s.parts.NotifyAddr, s.parts.Notify)
		if err != nil {
			return err
		}
		s.parts.StopNotify = stop
	default:
		return ErrUnknown
	}
	s.notify = to
	return nil
}

// serve has a handler listen where it listened before.
func serve(addr string, handler http.Handler) (stop func(), err error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("bring GOV.UK Notify back: %w", err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends with Close, and says so
	return func() { _ = server.Close() }, nil
}

// SetS3 takes S3 away, or brings it back. Down, it hangs up on whoever asks.
func (s *Switches) SetS3(down bool) {
	s.mu.Lock()
	s.s3Down = down
	s.mu.Unlock()
	s.parts.S3.Break(s3test.Fault{HangUp: down})
	s.parts.Changed()
}

// KillWorker kills it where it stands.
func (s *Switches) KillWorker() error {
	defer s.parts.Changed()
	return s.parts.Worker.Kill()
}

// StartWorker brings the worker back.
func (s *Switches) StartWorker() error {
	defer s.parts.Changed()
	return s.parts.Worker.Start()
}

// Close stops GOV.UK Notify, if it runs.
func (s *Switches) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.notify != NotifyDown {
		s.parts.StopNotify()
	}
}
