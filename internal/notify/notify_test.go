package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/notify/notifytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	number  = govwifi.Contact("+447700900123")
	address = govwifi.Contact("jo@dept.gov.uk")
)

var jo = govwifi.User{Username: "bcdfgh", Password: "CatDogEel"}

// aText and anEmail are good messages.
func aText(reference string) govwifi.Message {
	m := govwifi.Text(govwifi.CredentialsSMS, number, jo)
	m.Reference = reference
	return m
}

func anEmail(reference string) govwifi.Message {
	m := govwifi.CredentialsEmail(address, jo)
	m.Reference = reference
	return m
}

// clock is a clock that stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock(text string) *clock {
	now, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return &clock{now: now}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// start gives a stand-in and a client for it; change may alter the client's Config.
func start(t *testing.T, cfg notifytest.Config, change ...func(*Config)) (*Client, *notifytest.Server) {
	t.Helper()
	server := notifytest.Start(t, cfg)
	clientCfg := Config{APIKey: server.Key(), BaseURL: server.URL(), Now: cfg.Now,
		ReplyTo: map[govwifi.ReplyTo]string{govwifi.DoNotReply: notifytest.DoNotReplyID}}
	for _, f := range change {
		f(&clientCfg)
	}
	return client(t, clientCfg), server
}

func client(t *testing.T, cfg Config) *Client {
	t.Helper()
	if cfg.APIKey == "" {
		cfg.APIKey = notifytest.DefaultKey
	}
	transport := NewTransport()
	if cfg.Transport == nil {
		cfg.Transport = transport
	}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNewRefusesBadConfiguration(t *testing.T) {
	t.Parallel()
	const service, secret = "26785a09-ab16-4eb0-8407-a37497a57506", "3d844edf-8d35-48ac-975b-e847b4f122b0"
	for name, test := range map[string]struct {
		key, url string
		good     bool
	}{
		"plain":                {"live-" + service + "-" + secret, "", true},
		"hyphens in the name":  {"my-own-live-key-" + service + "-" + secret, "https://notify.example", true},
		"no name":              {service + "-" + secret, "http://127.0.0.1:8000/", true},
		"white space around":   {" live-" + service + "-" + secret + "\n", "", true},
		"empty":                {"", "", false},
		"one id":               {"live-" + secret, "", false},
		"upper case":           {"live-" + service + "-" + strings.ToUpper(secret), "", false},
		"not hexadecimal":      {"live-" + service + "-" + strings.Replace(secret, "3d", "zz", 1), "", false},
		"no separator":         {"live" + service + "-" + secret, "", false},
		"joined ids":           {"live-" + service + secret, "", false},
		"something behind":     {"live-" + service + "-" + secret + "-x", "", false},
		"address without host": {"live-" + service + "-" + secret, "notify", false},
		"address with query":   {"live-" + service + "-" + secret, "https://notify.example?x=y", false},
		"other scheme":         {"live-" + service + "-" + secret, "ftp://notify.example", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := New(Config{APIKey: test.key, BaseURL: test.url})
			if (err == nil) != test.good {
				t.Fatalf("New: %v", err)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows the secret: %v", err)
			}
			if err == nil && (c.key != apiKey{service, secret}) {
				t.Errorf("key = %v", c.key)
			}
		})
	}
}

// headers records the headers of each request.
type headers struct {
	http.RoundTripper
	seen []http.Header
}

func (h *headers) RoundTrip(r *http.Request) (*http.Response, error) {
	h.seen = append(h.seen, r.Header)
	return h.RoundTripper.RoundTrip(r)
}

func TestEveryRequestHasAFreshToken(t *testing.T) {
	t.Parallel()
	now := newClock("2026-03-01T12:00:00Z")
	spy := &headers{RoundTripper: NewTransport()}
	defer spy.RoundTripper.(*http.Transport).CloseIdleConnections()
	c, _ := start(t, notifytest.Config{Now: now.Now}, func(cfg *Config) { cfg.Transport = spy })
	for i := range 3 {
		// The stand-in allows 30 s of difference: a kept token dies here.
		if err := c.Send(t.Context(), aText(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
		now.Add(31 * time.Second)
	}
	for _, header := range spy.seen {
		if agent := header.Get("User-Agent"); !strings.HasPrefix(agent, "GOVWIFI-USER-SIGNUP/") {
			t.Errorf("User-Agent = %q", agent)
		}
	}
}

func TestTokenClaims(t *testing.T) {
	t.Parallel()
	token, err := apiKey{"service", "secret"}.token(time.Unix(1700000000, 999))
	if err != nil {
		t.Fatal(err)
	}
	// {"alg":"HS256","typ":"JWT"} . {"iat":1700000000,"iss":"service"}
	const want = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3MDAwMDAwMDAsImlzcyI6InNlcnZpY2UifQ."
	if !strings.HasPrefix(token, want) {
		t.Errorf("token = %s", token)
	}
}

func TestSendGivesNotifyTheMessage(t *testing.T) {
	t.Parallel()
	c, server := start(t, notifytest.Config{})
	noReplyTo := govwifi.Message{Template: govwifi.ActiveUsersSurveyEmail, To: address}
	unknownReplyTo := govwifi.Message{Template: govwifi.FollowupEmail, To: address, ReplyTo: govwifi.SupportReply}
	for _, m := range []govwifi.Message{aText("t-1"), anEmail("e-1"), noReplyTo, unknownReplyTo} {
		if err := c.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	want := []notifytest.Accepted{
		{Reference: "t-1", Template: govwifi.CredentialsSMS, To: string(number), Personalisation: map[string]string{"login": "bcdfgh", "pass": "CatDogEel"}},
		{Reference: "e-1", Template: govwifi.SelfSignupCredentialsEmail, To: string(address), ReplyTo: notifytest.DoNotReplyID,
			Subject: "Welcome to GovWifi", Personalisation: map[string]string{"username": "bcdfgh", "password": "CatDogEel"}},
		{Template: govwifi.ActiveUsersSurveyEmail, To: string(address), Subject: "How was signing up to GovWifi?", Personalisation: map[string]string{}},
		{Template: govwifi.FollowupEmail, To: string(address), Subject: "Do you need help connecting to GovWifi?", Personalisation: map[string]string{}},
	}
	if diff := cmp.Diff(want, server.Accepted(), cmpopts.IgnoreFields(notifytest.Accepted{}, "ID", "At", "Body")); diff != "" {
		t.Error(diff)
	}
}

// timedOut is a client whose patience is short, for servers that hang.
func timedOut(cfg *Config) { cfg.Timeout = 50 * time.Millisecond }

func TestUnansweredSendsAreAmbiguous(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault notifytest.Fault
		sent  bool
	}{
		"cut before accepting":  {notifytest.Fault{Cut: true}, false},
		"cut after accepting":   {notifytest.Fault{Cut: true, Accept: true}, true},
		"hangs":                 {notifytest.Fault{Hang: true}, false},
		"hangs after accepting": {notifytest.Fault{Hang: true, Accept: true}, true},
		"slower than we wait":   {notifytest.Fault{Delay: time.Minute}, false},
		"500 after accepting":   {notifytest.Fault{Status: 500, Error: "Exception", Message: "Internal server error", Accept: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, server := start(t, notifytest.Config{})
			// The ids are looked up with patience, the message is sent without.
			if err := c.Send(t.Context(), aText("warm-up")); err != nil {
				t.Fatal(err)
			}
			if test.fault.Hang || test.fault.Delay > 0 {
				c.timeout = time.Second
			}
			server.Play(notifytest.Always(test.fault))
			if err := c.Send(t.Context(), aText("job-1")); !errors.Is(err, govwifi.ErrAmbiguous) {
				t.Errorf("Send: %v", err)
			}
			server.Play(nil)
			c.timeout = time.Minute
			if test.sent {
				_, _ = server.Wait(t.Context(), 2)
			}
			sent, err := c.Sent(t.Context(), "job-1")
			if err != nil || sent != test.sent {
				t.Errorf("Sent = %v, %v", sent, err)
			}
		})
	}
}

func TestACancelledSendIsAmbiguousOnceItIsOut(t *testing.T) {
	t.Parallel()
	c, server := start(t, notifytest.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	server.Play(func(r notifytest.Request) notifytest.Fault {
		if r.IsSend() {
			cancel()
			return notifytest.Fault{Hang: true}
		}
		return notifytest.Fault{}
	})
	err := c.Send(ctx, aText("x"))
	if !errors.Is(err, govwifi.ErrAmbiguous) || !errors.Is(err, context.Canceled) {
		t.Errorf("Send: %v", err)
	}
}

func TestNoConnectionIsNotAmbiguous(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	c := client(t, Config{BaseURL: closed})
	err = c.post(t.Context(), aText("secret-reference"), "id")
	if err == nil || errors.Is(err, govwifi.ErrAmbiguous) {
		t.Errorf("post: %v", err)
	}
	if _, err := c.Sent(t.Context(), "secret-reference"); err == nil || strings.Contains(err.Error(), "secret-reference") {
		t.Errorf("Sent: %v", err)
	}
}

func TestReadingIsNeverAmbiguous(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]notifytest.Fault{
		"cut": {Cut: true}, "hang": {Hang: true}, "500": {Status: 500, Error: "Exception"}, "502": {Status: 502}, "404": {Status: 404},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, server := start(t, notifytest.Config{}, timedOut)
			server.Play(func(notifytest.Request) notifytest.Fault { return fault })
			if _, err := c.Sent(t.Context(), "x"); err == nil || errors.Is(err, govwifi.ErrAmbiguous) {
				t.Errorf("Sent: %v", err)
			}
			if err := c.Send(t.Context(), aText("x")); err == nil || errors.Is(err, govwifi.ErrAmbiguous) {
				t.Errorf("Send without knowing the ids: %v", err)
			}
		})
	}
}

// raw serves one answer to everything, for what the stand-in is too well-behaved for.
func raw(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return client(t, Config{BaseURL: server.URL})
}

func TestOddAnswersToASend(t *testing.T) {
	t.Parallel()
	var redirected atomic.Bool
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   error
	}{
		"201 with a body that is cut": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"id":`)
		}, nil},
		"201 that is no JSON": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, "<html>")
		}, nil},
		"201 as notify-pit gives it": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"id":"1","reference":null}`)
		}, nil},
		"200, which Notify never gives": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "<html>Log in to the proxy")
		}, govwifi.ErrAmbiguous},
		"422 as notify-pit gives it": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = io.WriteString(w, `{"detail":[{"loc":["body"]}]}`)
		}, govwifi.ErrMisconfigured},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			redirected.Store(redirected.Load() || r.Method == http.MethodGet)
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}, govwifi.ErrMisconfigured},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := raw(t, test.answer).post(t.Context(), aText("x"), "id")
			if !errors.Is(err, test.want) {
				t.Errorf("post: %v", err)
			}
			if redirected.Load() {
				t.Error("the redirect was followed")
			}
		})
	}
}

func TestAListThatIsTooLongOrNoJSON(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(io.Writer) error{
		"endless": func(w io.Writer) (err error) {
			for err == nil {
				_, err = io.WriteString(w, `{"templates":[]} `)
			}
			return err
		},
		"no JSON": func(w io.Writer) error { _, err := io.WriteString(w, "hunter2"); return err },
		"other":   func(w io.Writer) error { _, err := io.WriteString(w, `{"templates":"hunter2"}`); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := raw(t, func(w http.ResponseWriter, _ *http.Request) { _ = answer(w) })
			c.timeout = 10 * time.Second
			_, err := c.Templates(t.Context())
			if err == nil || strings.Contains(err.Error(), "hunter2") || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Templates: %v", err)
			}
		})
	}
}

func TestObserveIsToldOfEveryRequest(t *testing.T) {
	t.Parallel()
	var seen []string
	c, server := start(t, notifytest.Config{}, func(cfg *Config) {
		cfg.Observe = func(endpoint string, status int, took time.Duration) {
			if took <= 0 {
				t.Errorf("%s took %s", endpoint, took)
			}
			seen = append(seen, fmt.Sprintf("%s %d", endpoint, status))
		}
	})
	_ = c.Send(t.Context(), aText("x"))
	server.Play(notifytest.Always(notifytest.Fault{Cut: true}))
	_ = c.Send(t.Context(), anEmail("x"))
	_, _ = c.Sent(t.Context(), "x")
	_, _ = c.ReceivedTexts(t.Context(), "")
	want := []string{"templates 200", "sms 201", "email 0", "notifications 200", "received-texts 200"}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
}

func TestManyAtOnceShareConnections(t *testing.T) {
	t.Parallel()
	var dialled atomic.Int64
	transport := NewTransport()
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialled.Add(1)
		return dial(ctx, network, addr)
	}
	defer transport.CloseIdleConnections()
	c, server := start(t, notifytest.Config{}, func(cfg *Config) { cfg.Transport = transport })
	// Slow enough that all workers wait for an answer at once.
	server.Play(notifytest.Always(notifytest.Fault{Delay: 50 * time.Millisecond}))
	const workers, each = 128, 5
	for range each {
		var group sync.WaitGroup
		for range workers {
			group.Go(func() {
				if err := c.Send(t.Context(), aText("")); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	if _, err := server.Wait(t.Context(), workers*each); err != nil {
		t.Error(err)
	}
	// net/http may dial for a request that is then served by a freed connection, so
	// a few more than the workers is right; one for each message is not.
	if n := dialled.Load(); n > 2*workers {
		t.Errorf("%d connections for %d workers", n, workers)
	}
}

// TestHTTP2 is how the real Notify is reached: one connection for all, and a dropped
// stream is as ambiguous as a dropped connection.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	standIn := notifytest.New(notifytest.Config{})
	var old atomic.Bool
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		old.Store(old.Load() || r.ProtoMajor < 2)
		standIn.ServeHTTP(w, r)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	transport := NewTransport()
	defer transport.CloseIdleConnections()
	transport.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	c := client(t, Config{BaseURL: server.URL, Transport: transport})
	if err := c.Send(t.Context(), aText("x")); err != nil {
		t.Fatal(err)
	}
	standIn.Play(notifytest.Always(notifytest.Fault{Cut: true, Accept: true}))
	if err := c.Send(t.Context(), aText("y")); !errors.Is(err, govwifi.ErrAmbiguous) {
		t.Errorf("Send: %v", err)
	}
	if sent, err := c.Sent(t.Context(), "y"); !sent || err != nil || len(standIn.Accepted()) != 2 {
		t.Errorf("Sent: %v, %v", sent, err)
	}
	if old.Load() {
		t.Error("not HTTP/2")
	}
}
