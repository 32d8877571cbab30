package process

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealthcheck(t *testing.T) {
	t.Parallel()
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/livez" {
			t.Errorf("it asks %s", r.URL.Path)
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	admin := strings.TrimPrefix(server.URL, "http://")
	if err := healthcheck(t.Context(), admin); err != nil {
		t.Errorf("alive: %v", err)
	}
	status = http.StatusInternalServerError
	if err := healthcheck(t.Context(), admin); err == nil {
		t.Error("a process that answers 500 is healthy")
	}
	server.Close()
	if err := healthcheck(t.Context(), admin); err == nil {
		t.Error("a process that is gone is healthy")
	}
	var usage *UsageError
	if err := healthcheck(t.Context(), "9090"); !errors.As(err, &usage) {
		t.Errorf("a malformed address: %v", err)
	}
}

func TestWhereAProcessSaysThatItLives(t *testing.T) {
	t.Parallel()
	for admin, want := range map[string]string{
		"":               "http://127.0.0.1:9090/livez",
		":9191":          "http://127.0.0.1:9191/livez",
		"0.0.0.0:9090":   "http://127.0.0.1:9090/livez",
		"[::]:9090":      "http://127.0.0.1:9090/livez",
		"[::1]:9090":     "http://[::1]:9090/livez",
		"127.0.0.2:9090": "http://127.0.0.2:9090/livez",
	} {
		if got, err := livez(admin); err != nil || got != want {
			t.Errorf("%q: %s, %v", admin, got, err)
		}
	}
}

// The word works alone only: anything else is the service's own.
func TestHealthcheckIsAWordOfItsOwn(t *testing.T) {
	t.Parallel()
	ran := errors.New("the service ran")
	run := orHealthcheck(func(context.Context, []string) error { return ran })
	for _, args := range [][]string{nil, {"migrate"}, {healthcheckWord, "x"}} {
		if err := run(t.Context(), args); !errors.Is(err, ran) {
			t.Errorf("%q: %v", args, err)
		}
	}
	if err := run(t.Context(), []string{healthcheckWord}); errors.Is(err, ran) {
		t.Error("the health check started the service")
	}
}
