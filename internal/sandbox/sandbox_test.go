package sandbox

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/notify/notifytest"
)

func start(t *testing.T) *Sandbox {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s, err := Start(ctx, Config{Ingest: "127.0.0.1:0", Console: "127.0.0.1:0", Level: slog.LevelError, Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := s.Wait(); err != nil {
			t.Errorf("wait: %v", err)
		}
	})
	return s
}

// What `make run` promises: every journey arrives, on embedded parts.
func TestDemo(t *testing.T) {
	s := start(t)
	var out strings.Builder
	if err := s.Demo(t.Context(), &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"Your username:", "Username: ", "On Windows:", "3 GovWifi accounts have been created", "Every message arrived."} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the demo does not show %q:\n%s", want, out.String())
		}
	}
}

// The demo is a check: it fails when somebody gets nothing.
func TestDemoFails(t *testing.T) {
	s := start(t)
	s.Notify.Play(notifytest.Always(notifytest.Fault{Status: 400, Error: "ValidationError", Message: "phone_number Not enough digits"}))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if err := s.Demo(ctx, io.Discard); !errors.Is(err, ErrMissing) {
		t.Errorf("demo: %v", err)
	}
}

// The console: a text sent from its form is answered, and the answer shown.
func TestConsole(t *testing.T) {
	s := start(t)
	post := func(path string, form url.Values) {
		t.Helper()
		response, err := http.PostForm(s.Console+path, form)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != 200 || !strings.Contains(string(text), "with status <strong>200</strong>") {
			t.Fatalf("%s: %d %s", path, response.StatusCode, text)
		}
	}
	post("/text", url.Values{"from": {"07700 900123"}, "text": {"Go"}})
	post("/mail", url.Values{"from": {"jo@dept.gov.uk"}, "to": {"signup@wifi.service.gov.uk"}, "text": {""}})
	if _, err := s.Notify.Wait(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/": "To jo@dept.gov.uk", "/asynqmon/": "Asynq"} {
		response, err := http.Get(s.Console + path)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != 200 || !strings.Contains(string(text), want) {
			t.Errorf("%s: %d, no %q", path, response.StatusCode, want)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.Console+"/text", strings.NewReader("from=1&text=2"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("another site may post: %d", response.StatusCode)
	}
}
