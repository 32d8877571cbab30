package telemetry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// inbox is a Sentry that keeps what it is sent.
type inbox struct {
	mu     sync.Mutex
	bodies []string
}

func (i *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.bodies = append(i.bodies, r.URL.Path+"\n"+string(body))
	_, _ = io.WriteString(w, "{}")
}

// Error lines arrive masked, and say nothing of the machine; other lines do not arrive.
func TestSentry(t *testing.T) {
	t.Parallel()
	sentry := &inbox{}
	server := httptest.NewServer(sentry)
	t.Cleanup(server.Close)
	var c LogConfig
	if err := c.SentryDSN.UnmarshalText([]byte(strings.Replace(server.URL, "http://", "http://a-public-key@", 1) + "/42")); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	log, flush := c.Open(&out)
	log = log.With("with", "a@dept.gov.uk").WithGroup("group")
	log.InfoContext(t.Context(), "all is well", "to", "b@dept.gov.uk")
	log.WarnContext(t.Context(), "nearly", "to", "c@dept.gov.uk")
	log.ErrorContext(context.Background(), "job for d@dept.gov.uk", "err", errors.New("Duplicate entry 'e@dept.gov.uk'"),
		"contact", govwifi.Contact("+447700900123"), "panic", any(map[string]string{"number": "07700 900123"}))
	log.ErrorContext(t.Context(), "job", "job", "send-surveys", "outcome", "archived")
	flush()

	if len(sentry.bodies) != 2 {
		t.Fatalf("%d events: %q", len(sentry.bodies), sentry.bodies)
	}
	event := sentry.bodies[0]
	if job := sentry.bodies[1]; !strings.Contains(job, `"fingerprint":["job send-surveys"]`) {
		t.Errorf("the event does not name the job:\n%s", job)
	}
	for _, want := range []string{"/api/42/envelope/", `"message":"job for d***@d***.gov.uk"`, `"fingerprint":["job for d***@d***.gov.uk"]`,
		"with=a***@d***.gov.uk", "Duplicate entry 'e***@d***.gov.uk'", "+4477*****123", `"level":"error"`} {
		if !strings.Contains(event, want) {
			t.Errorf("the event has no %s:\n%s", want, event)
		}
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"@dept", "7700900123", "7700 900123", "server_name", `"modules"`, `"user":{"`, `"` + host + `"`} {
		if strings.Contains(event, secret) {
			t.Errorf("the event holds %s:\n%s", secret, event)
		}
	}
	if strings.Count(out.String(), "\n") != 4 {
		t.Errorf("the log holds:\n%s", out.String())
	}
}

func TestNoSentry(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	log, flush := LogConfig{}.Open(&out)
	log.Error("alone")
	flush()
	if !strings.Contains(out.String(), "alone") {
		t.Error(out.String())
	}
}

func TestSentryDSN(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"sentry", "https://host/42", "https://s3cret@host/", "ftp://s3cret@host/42"} {
		var d SentryDSN
		if err := d.UnmarshalText([]byte(text)); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", text, err)
		}
	}
	var d SentryDSN
	if err := d.UnmarshalText(nil); err != nil || d.dsn != "" {
		t.Errorf("empty: %v", err)
	}
}
