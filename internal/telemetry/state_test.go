package telemetry

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// scrape is what Prometheus reads.
func scrape(m Metrics) string {
	answer := httptest.NewRecorder()
	promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{}).ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	return answer.Body.String()
}

// wantSeries looks for whole lines.
func wantSeries(t *testing.T, m Metrics, lines ...string) {
	t.Helper()
	text := "\n" + scrape(m)
	for _, line := range lines {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("no line %s in\n%s", line, signupOnly(text))
		}
	}
}

func signupOnly(text string) string {
	return strings.Join(regexp.MustCompile(`(?m)^signup_.*$`).FindAllString(text, -1), "\n")
}

// oldList is as old and as stale as it says.
type oldList struct {
	age   time.Duration
	stale bool
}

func (l *oldList) Age() time.Duration            { return l.age }
func (l *oldList) StaleSince() (time.Time, bool) { return time.Time{}, l.stale }

func TestState(t *testing.T) {
	t.Parallel()
	m := NewMetrics()
	list := &oldList{age: time.Hour}
	m.AllowList(list)
	m.SealKeys(2)
	m.CertificateEnds(time.Unix(1800000000, 0))
	m.Pool(func() Pool { return Pool{Max: 16, Open: 5, InUse: 3, Waits: 7, Waited: 1500 * time.Millisecond} })
	wantSeries(t, m,
		"signup_allow_list_age_seconds 3600", "signup_allow_list_stale_seconds 0", // a quiet night
		"signup_seal_keys 2", "signup_sns_certificate_expiry_timestamp_seconds 1.8e+09",
		"signup_db_connections_max 16", "signup_db_connections_open 5", "signup_db_connections_in_use 3",
		"signup_db_waits_total 7", "signup_db_wait_seconds_total 1.5")
	list.stale = true
	wantSeries(t, m, "signup_allow_list_stale_seconds 3600")
}

func TestBuildInfo(t *testing.T) {
	t.Parallel()
	line := regexp.MustCompile(`(?m)^signup_build_info\{go="([^"]+)",revision="[^"]+",version="[^"]+"\} 1$`)
	if found := line.FindStringSubmatch(scrape(NewMetrics())); found == nil || found[1] != runtime.Version() {
		t.Errorf("%q", found)
	}
}

// ticking tells of two jobs, and that it could not tell of more.
type ticking struct{}

func (ticking) Ticks(ctx context.Context, tick func(string, time.Time, time.Time)) error {
	if _, ok := ctx.Deadline(); !ok {
		return errors.New("without a deadline, Redis may hang the scrape")
	}
	tick("send-surveys", time.Unix(1000, 0), time.Unix(2000, 0))
	tick("send-followups", time.Time{}, time.Unix(3000, 0))
	return errors.New("Redis is away")
}

// A job that never ran has no last tick, rather than one in 1970.
func TestTimetable(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	m := NewMetrics()
	m.Timetable(ticking{}, slog.New(slog.NewTextHandler(&log, nil)))
	wantSeries(t, m,
		`signup_scheduler_last_tick_timestamp_seconds{job="send-surveys"} 1000`,
		`signup_scheduler_next_tick_timestamp_seconds{job="send-surveys"} 2000`,
		`signup_scheduler_next_tick_timestamp_seconds{job="send-followups"} 3000`)
	if strings.Contains(scrape(m), `last_tick_timestamp_seconds{job="send-followups"}`) {
		t.Error("a job that never ran has a last tick")
	}
	if !strings.Contains(log.String(), "Redis is away") {
		t.Errorf("log: %s", &log)
	}
}

// An alert on an increase sees the first event only where the counter was 0 before.
func TestExpectedCountersStartAtZero(t *testing.T) {
	t.Parallel()
	m := NewMetrics()
	m.Webhooks().Expect([]string{"sms", "email"}, []string{"accepted", "unavailable"})
	m.Jobs().Expect([]string{"help-sms"}, []string{"archived"})
	m.Notify().Expect([]string{"sms"})
	wantSeries(t, m,
		`signup_webhooks_total{outcome="unavailable",route="email"} 0`,
		`signup_webhooks_total{outcome="accepted",route="sms"} 0`,
		`signup_jobs_total{job="help-sms",outcome="archived"} 0`,
		`signup_notify_requests_total{endpoint="sms",status="403"} 0`,
		`signup_notify_requests_total{endpoint="sms",status="error"} 0`)
}

// Whatever a proxy before Notify answers, there are no more series than HTTP has codes.
func TestStatusIsBounded(t *testing.T) {
	t.Parallel()
	m := NewMetrics()
	n := m.Notify()
	for status := -5; status < 2000; status++ {
		n.Observe("sms", status, time.Millisecond)
	}
	found := regexp.MustCompile(`signup_notify_requests_total\{endpoint="sms",status="(\w+)"\}`).FindAllStringSubmatch(scrape(m), -1)
	for _, f := range found {
		if code, err := strconv.Atoi(f[1]); f[1] != "error" && (err != nil || code < 100 || code > 599) {
			t.Errorf("a series for the status %q", f[1])
		}
	}
	if len(found) != 501 {
		t.Errorf("%d series", len(found))
	}
}
