package ingest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/telemetry"
	"github.com/govwifi/user-signup/internal/testenv"
)

// taken is a queue that takes every job and costs nothing.
type taken struct{}

func (taken) Enqueue(context.Context, job.Job) error { return nil }
func (taken) Ready(context.Context) error            { return nil }

// webhook makes a door as Serve does, but for the queue, and a function that posts one
// text to it without a network.
func webhook(tb testing.TB) func() {
	tb.Helper()
	metrics := telemetry.NewMetrics()
	log, flush := telemetry.LogConfig{Format: telemetry.Text}.Open(io.Discard)
	tb.Cleanup(flush)
	door := &Door{Queue: taken{}, Tokens: Tokens{"a-bearer-token"}, Webhooks: metrics.Webhooks(),
		Log: telemetry.Traced(log, job.TraceFrom), Now: time.Now}
	handler := door.Server().Handler
	const text = `{"id":"3f0ab9a2-4d5c-4a0e-9b1e-5c0a4d9d2a11","source_number":"447700900001","destination_number":"07537417417",` +
		`"message":"Go","date_received":"2026-11-22T12:00:00.000000Z"}`
	return func() {
		r := httptest.NewRequest(http.MethodPost, "/user-signup/sms-notification/notify", strings.NewReader(text))
		r.Header.Set("Authorization", "Bearer a-bearer-token")
		w := httptest.NewRecorder()
		handler.ServeHTTP(recorder{w}, r)
		if w.Code != http.StatusOK {
			tb.Fatalf("answered %d: %s", w.Code, w.Body)
		}
	}
}

// recorder lets the door set a read deadline, which it has no use for.
type recorder struct{ *httptest.ResponseRecorder }

func (recorder) SetReadDeadline(time.Time) error { return nil }

// BenchmarkText is what a text costs between the network and the queue.
func BenchmarkText(b *testing.B) {
	post := webhook(b)
	b.ReportAllocs()
	for b.Loop() {
		post()
	}
}

// textAllocations is what a text may allocate between the network and the queue; each is
// time of every request. A change that needs more raises it here, knowingly.
const textAllocations = 96

func TestAllocationsOfAText(t *testing.T) {
	post := webhook(t)
	if got := testing.AllocsPerRun(200, post); got > textAllocations+testenv.RaceAllocations {
		t.Errorf("a text costs %.0f allocations, more than %d", got, textAllocations+testenv.RaceAllocations)
	}
}
