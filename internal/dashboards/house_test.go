// Package dashboards tests what operators look at: the Grafana dashboard, the alert
// rules and the runbook are held against a real Prometheus that scrapes the real
// services while they serve people.
package dashboards

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/govwifi/user-signup/internal/ingest"
	"github.com/govwifi/user-signup/internal/notify/notifytest"
	"github.com/govwifi/user-signup/internal/outside"
	"github.com/govwifi/user-signup/internal/queue"
	"github.com/govwifi/user-signup/internal/s3/s3test"
	"github.com/govwifi/user-signup/internal/scheduler"
	"github.com/govwifi/user-signup/internal/telemetry"
	"github.com/govwifi/user-signup/internal/testenv"
	"github.com/govwifi/user-signup/internal/worker"
)

// house is one ingest, one worker and one scheduler, and the world around them.
type house struct {
	testing.TB
	redis  *redis.Client
	notify *notifytest.Server
	s3     *s3test.Server
	world  *outside.World
	// admins are the addresses of the admin listeners, by program.
	admins map[string]string
	log    *slog.Logger
}

// newHouse starts everything.
func newHouse(t testing.TB) *house {
	t.Helper()
	server, d := testenv.NewRedisServer(t), testenv.MySQL(t)
	h := &house{TB: t, notify: notifytest.Start(t, notifytest.Config{}), admins: map[string]string{},
		log: slog.New(slog.DiscardHandler), redis: redis.NewClient(&redis.Options{Addr: server.Addr})}
	t.Cleanup(func() { _ = h.redis.Close() })
	var err error
	if h.s3, err = s3test.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.s3.Close() })
	h.s3.Put("admin", s3test.Object{Key: "allowlist", Body: []byte(`^.*@([a-z-]+\.)*gov\.uk$`)})
	if h.world, err = outside.New("a-bearer-token", h.s3); err != nil {
		t.Fatal(err)
	}
	var at queue.URL
	if err := at.UnmarshalText([]byte(server.URL)); err != nil {
		t.Fatal(err)
	}
	database := worker.Database{Hostname: d.Host, Name: d.Name, User: d.User, Pass: d.Pass}
	if err := worker.Migrate(t.Context(), worker.MigrateConfig{Log: telemetry.LogConfig{Level: slog.LevelError}, Database: database}); err != nil {
		t.Fatal(err)
	}
	h.open(at)
	h.work(at, database)
	h.keepTime(at)
	return h
}

func (h *house) open(at queue.URL) {
	h.Helper()
	public := h.listen()
	h.world.Ingest = "http://" + public.Addr().String()
	config := ingest.Config{RedisURL: at, Tokens: ingest.Tokens{h.world.Token}, VerifySNS: true,
		Topics: []string{outside.Topic}, Certificate: ingest.CertificateFile{Certificate: h.world.Certificate}}
	h.serve("ingest", func(ctx context.Context, admin net.Listener) error {
		return ingest.Serve(ctx, config, ingest.Listeners{Public: public, Admin: admin}, h.log)
	})
}

func (h *house) work(at queue.URL, database worker.Database) {
	h.Helper()
	config := worker.Config{RedisURL: at, Database: database, Concurrency: 4, ShutdownTimeout: 5 * time.Second,
		Notify: worker.Notify{APIKey: h.notify.Key(), BaseURL: h.notify.URL(), DoNotReply: notifytest.DoNotReplyID},
		S3: worker.S3{Region: "eu-west-2", MailRegion: "eu-west-1", Endpoint: h.s3.URL, UsePathStyle: true,
			AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey,
			AllowListBucket: "admin", AllowListKey: "allowlist"},
		Verdicts: worker.Verdicts{VerdictPolicy: "enforce"},
	}
	h.serve("worker", func(ctx context.Context, admin net.Listener) error { return worker.Serve(ctx, config, admin, h.log) })
}

// keepTime starts the scheduler in a Redis that remembers a tick of yesterday, so that
// it has one to make up for and the test need not wait for the clock.
func (h *house) keepTime(at queue.URL) {
	h.Helper()
	yesterday := time.Now().Add(-25 * time.Hour).Unix()
	if err := h.redis.HSet(h.Context(), "signup:ticks", "backup-templates", yesterday, "a-job-of-an-old-release", yesterday).Err(); err != nil {
		h.Fatal(err)
	}
	h.serve("scheduler", func(ctx context.Context, admin net.Listener) error {
		return scheduler.Serve(ctx, scheduler.Config{RedisURL: at}, admin, h.log)
	})
}

// serve runs until the test ends, and fails the test if it ends badly.
func (h *house) serve(name string, run func(context.Context, net.Listener) error) {
	h.Helper()
	admin := h.listen()
	h.admins[name] = admin.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx, admin) }()
	h.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			h.Errorf("%s: %v", name, err)
		}
	})
}

func (h *house) listen() net.Listener {
	h.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.Fatal(err)
	}
	return listener
}

// traffic has a text, a mail and a sponsor's mail answered and one answer delivered, and
// a stranger turned away.
func (h *house) traffic() {
	h.Helper()
	const signup, sponsor = "signup@wifi.service.gov.uk", "sponsor@wifi.service.gov.uk"
	h.deliver(h.world.Text("447700900123", "Go"))
	h.deliver(h.mail("jo@dept.gov.uk", signup, ""))
	h.deliver(h.mail("jo@dept.gov.uk", sponsor, "guest@example.com\r\n"))
	if status := h.post("/user-signup/sms-notification/notify", http.Header{"Authorization": {"Bearer wrong"}}, "{}"); status != 401 {
		h.Fatalf("a stranger is answered %d", status)
	}
	ctx, cancel := context.WithTimeout(h.Context(), 30*time.Second)
	defer cancel()
	got, err := h.notify.Wait(ctx, 4) // the sponsor gets a receipt
	if err != nil {
		h.Fatalf("%d messages: %v", len(got), err)
	}
	h.deliver(h.world.Receipt(got[0].ID, got[0].Reference, "delivered", time.Now()))
	h.worked(`signup_deliveries_total{status="delivered",`)
}

func (h *house) mail(from, to, text string) outside.Event {
	h.Helper()
	e, err := h.world.Mail(outside.PlainMail(from, to, "Hello", text), to, nil)
	if err != nil {
		h.Fatal(err)
	}
	return e
}

func (h *house) deliver(e outside.Event) {
	h.Helper()
	if status, err := h.world.Deliver(h.Context(), e); status != 200 || err != nil {
		h.Fatalf("answered %d, %v", status, err)
	}
}

// post sends anything to ingest and returns the status of the answer.
func (h *house) post(path string, header http.Header, body string) int {
	h.Helper()
	request, err := http.NewRequestWithContext(h.Context(), http.MethodPost, h.world.Ingest+path, bytes.NewReader([]byte(body)))
	if err != nil {
		h.Fatal(err)
	}
	request.Header = header
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		h.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// worked waits until the worker's metrics hold the text.
func (h *house) worked(text string) {
	h.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(h.metrics("worker"), text); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.Fatalf("waited in vain for %s", text)
		}
	}
}

// metrics is what a program tells Prometheus.
func (h *house) metrics(name string) string {
	h.Helper()
	text, err := get("http://" + h.admins[name] + "/metrics")
	if err != nil {
		h.Fatal(err)
	}
	return string(text)
}

func get(url string) ([]byte, error) {
	response, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", response.StatusCode, text)
	}
	return text, err
}
