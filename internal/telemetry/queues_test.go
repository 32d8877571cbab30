package telemetry

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// halfBroken is one queue that can be read and one that cannot.
type halfBroken struct{}

func (halfBroken) Measure(_ context.Context, tasks func(string, string, int64), latency func(string, time.Duration)) error {
	tasks("batch", "pending", 7)
	tasks("batch", "archived", 0)
	latency("batch", 1500*time.Millisecond)
	return errors.New("measure the interactive queue: j@x.gov.uk is in the way")
}

// What can be read is served; what cannot is logged and does not fail the scrape.
func TestQueues(t *testing.T) {
	t.Parallel()
	m := NewMetrics()
	var log bytes.Buffer
	m.Queues(halfBroken{}, LogConfig{}.NewLogger(&log))
	scrape := httptest.NewRecorder()
	promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{}).ServeHTTP(scrape, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		`signup_queue_latency_seconds{queue="batch"} 1.5`,
		`signup_queue_tasks{queue="batch",state="archived"} 0`,
		`signup_queue_tasks{queue="batch",state="pending"} 7`,
		"go_goroutines",
	} {
		if !strings.Contains(scrape.Body.String(), want) {
			t.Errorf("%d, without %s:\n%s", scrape.Code, want, scrape.Body)
		}
	}
	if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "interactive") {
		t.Fatalf("log: %s", &log)
	}
}

// deadlined tells of the deadline that it was given.
type deadlined struct{ given chan time.Duration }

func (d deadlined) Measure(ctx context.Context, _ func(string, string, int64), _ func(string, time.Duration)) error {
	deadline, _ := ctx.Deadline()
	d.given <- time.Until(deadline)
	return nil
}

// A Redis that hangs must not hang the scrape.
func TestQueuesAreAskedWithADeadline(t *testing.T) {
	t.Parallel()
	m := NewMetrics()
	d := deadlined{make(chan time.Duration, 1)}
	m.Queues(d, slog.New(slog.DiscardHandler))
	if _, err := m.Registry.Gather(); err != nil {
		t.Fatal(err)
	}
	if left := <-d.given; left <= 0 || left > measureTimeout {
		t.Fatalf("deadline in %s", left)
	}
}
