package sandbox

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/notify/notifytest"
	"github.com/govwifi/user-signup/internal/process"
)

// The sandbox starts its own program again as its worker, which here is this test.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == WorkerCommand {
		process.Main(func(ctx context.Context, _ []string) error { return RunWorker(ctx) })
	}
	code := m.Run()
	closeChromium()
	os.Exit(code)
}

func start(t *testing.T) *Sandbox { return startWith(t, slog.LevelError, io.Discard) }

func startWith(t *testing.T, level slog.Level, log io.Writer) *Sandbox {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s, err := Start(ctx, Config{Ingest: "127.0.0.1:0", Console: "127.0.0.1:0", Mail: "127.0.0.1:0", Level: level, Log: log})
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
	t.Parallel()
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

// The demo's scenes are not interrupted by warnings that only a deployment need heed, and
// what people write is sealed in Redis as it should be there.
func TestDemoIsSealed(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var log strings.Builder
	s, err := Start(ctx, Config{Ingest: "127.0.0.1:0", Console: "127.0.0.1:0", Mail: "127.0.0.1:0", Level: slog.LevelWarn, Log: &log})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Demo(ctx, io.Discard); err != nil {
		t.Error(err)
	}
	for name, at := range s.admins {
		if metrics := fetch(t, at+"/metrics"); !strings.Contains(metrics, "\nsignup_seal_keys 1\n") {
			t.Errorf("%s seals with no key, or another number of them", name)
		}
	}
	cancel()
	if err := s.Wait(); err != nil {
		t.Error(err)
	}
	if strings.Contains(log.String(), "is not set") {
		t.Errorf("the terminal is warned:\n%s", log.String())
	}
}

// The demo is a check: it fails when somebody gets nothing.
func TestDemoFails(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.Notify.Play(notifytest.Always(notifytest.Fault{Status: 400, Error: "ValidationError", Message: "phone_number Not enough digits"}))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if err := s.Demo(ctx, io.Discard); !errors.Is(err, ErrMissing) {
		t.Errorf("demo: %v", err)
	}
}

// Whoever kills the worker in another terminal is told in this one.
func TestTerminalSaysThatTheWorkerIsGone(t *testing.T) {
	t.Parallel()
	log, written := io.Pipe()
	t.Cleanup(func() { _ = log.Close() })
	said := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(log)
		for lines.Scan() {
			if strings.Contains(lines.Text(), "worker is gone") {
				said <- lines.Text()
			}
		}
	}()
	s := startWith(t, slog.LevelWarn, written)
	if err := syscall.Kill(s.worker.Process(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case line := <-said:
		if !strings.Contains(line, "signal: killed") {
			t.Errorf("it does not say how: %s", line)
		}
	case <-time.After(patience):
		t.Error("the terminal says nothing")
	}
}
