package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// Every way for a text to get into a line is masked, keys excepted.
func TestLoggerMasks(t *testing.T) {
	t.Parallel()
	for _, format := range []Format{Text, JSON} {
		var out bytes.Buffer
		log := LogConfig{Format: format, Level: slog.LevelDebug}.NewLogger(&out)
		log.With("with", "a@dept.gov.uk").WithGroup("group").Debug("to b@dept.gov.uk",
			"text", "c@dept.gov.uk", "err", errors.New("d@dept.gov.uk"), "contact", govwifi.Contact("e@dept.gov.uk"),
			"any", []string{"f@dept.gov.uk"}, "number", "+447700900123", slog.Group("inner", "x", "g@dept.gov.uk"),
			"panic", any(map[string]string{"h": "h@dept.gov.uk"}))
		line := out.String()
		if strings.Contains(line, "@dept") || strings.Contains(line, "7700900123") || strings.Count(line, "***@d***.gov.uk") != 8 {
			t.Errorf("%s: %s", format, line)
		}
	}
}

func TestKeysStayWhole(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	LogConfig{}.NewLogger(&out).Info("queued", KeyAttr, "b51f638b-0912-4123-8901-000000000001")
	if !strings.Contains(out.String(), "key=b51f638b-0912-4123-8901-000000000001") {
		t.Error(out.String())
	}
}

// CloudWatch's filters read these words as text, in JSON too.
func TestRequestLine(t *testing.T) {
	t.Parallel()
	for _, format := range []Format{Text, JSON} {
		var out bytes.Buffer
		LogConfig{Format: format}.NewLogger(&out).Info(RequestMessage, "method", "POST", "path", "/x", "status", 200, "duration", "0.0012")
		if !strings.Contains(out.String(), "method=POST path=/x status=200 duration=0.0012") {
			t.Errorf("%s: %s", format, out.String())
		}
		if format == JSON {
			var line struct{ Msg string }
			if err := json.Unmarshal(out.Bytes(), &line); err != nil || line.Msg != "method=POST path=/x status=200 duration=0.0012" {
				t.Errorf("msg %q, %v", line.Msg, err)
			}
		}
	}
}

// A duration has its unit in both formats.
func TestDurationsHaveUnits(t *testing.T) {
	t.Parallel()
	for format, want := range map[Format]string{Text: "wait=39ms", JSON: `"wait":"39ms"`} {
		var out bytes.Buffer
		LogConfig{Format: format}.NewLogger(&out).Info("job", "wait", 39*time.Millisecond)
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s: no %s in %s", format, want, out.String())
		}
	}
}

func TestLevels(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	LogConfig{Level: slog.LevelWarn}.NewLogger(&out).Info("quiet")
	if out.Len() != 0 {
		t.Error(out.String())
	}
	for text, good := range map[string]bool{"text": true, "json": true, "xml": false} {
		if err := new(Format).UnmarshalText([]byte(text)); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Names and labels are a contract with dashboards.
func TestMetricsAndAdmin(t *testing.T) {
	t.Parallel()
	m := NewMetrics()
	m.Webhooks().Observe("sms", "accepted", time.Millisecond)
	jobs := m.Jobs()
	jobs.Observe("signup-sms", "done", time.Second)
	jobs.Waited("interactive", time.Second)
	n := m.Notify()
	n.Observe("sms", 201, time.Second)
	n.Observe("sms", 429, time.Second)
	n.Observe("email", 0, time.Second)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var notReady error
	done := make(chan error, 1)
	go func() {
		done <- Admin{Metrics: m, Ready: func(context.Context) error { return notReady }}.Serve(ctx, listener)
	}()
	get := func(path string) (int, string) {
		response, err := http.Get("http://" + listener.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		text, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(text)
	}
	_, text := get("/metrics")
	for _, want := range []string{
		`signup_webhooks_total{outcome="accepted",route="sms"} 1`,
		`signup_webhook_seconds_bucket{route="sms",le="0.001"} 1`,
		`signup_webhook_seconds_bucket{route="sms",le="2"} 1`,
		`signup_jobs_total{job="signup-sms",outcome="done"} 1`,
		`signup_job_seconds_count{job="signup-sms"} 1`,
		`signup_job_wait_seconds_bucket{queue="interactive",le="0.01"} 0`,
		`signup_job_wait_seconds_bucket{queue="interactive",le="3600"} 1`,
		`signup_notify_requests_total{endpoint="sms",status="201"} 1`,
		`signup_notify_requests_total{endpoint="email",status="error"} 1`,
		`signup_notify_seconds_count{endpoint="sms"} 2`,
		`signup_notify_throttled_total 1`,
		"go_goroutines ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	if status, _ := get("/readyz"); status != 200 {
		t.Errorf("ready: %d", status)
	}
	notReady = errors.New("Redis is away")
	if status, text := get("/readyz"); status != 503 || !strings.Contains(text, "Redis is away") {
		t.Errorf("not ready: %d %s", status, text)
	}
	if status, _ := get("/livez"); status != 200 {
		t.Errorf("alive: %d", status)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
