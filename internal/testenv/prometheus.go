package testenv

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Prometheus starts a Prometheus for this test alone and returns its URL. Its directory
// holds the given files, by name; prometheus.yml is the one that it reads. It ends with
// the test.
func Prometheus(t testing.TB, files map[string]string) string {
	t.Helper()
	path, err := binary("prometheus")
	if err != nil {
		t.Fatalf("testenv: %v", err)
	}
	dir, err := os.MkdirTemp("", "testenv-")
	if err != nil {
		t.Fatalf("testenv: %v", err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatalf("testenv: %v", err)
		}
	}
	s := &server{dir: dir, ready: prometheusReady,
		args: func(dir string, port int) []string {
			return []string{path, "--config.file", filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path", filepath.Join(dir, "data"),
				"--web.listen-address", fmt.Sprintf("127.0.0.1:%d", port), "--log.level", "warn"}
		}}
	t.Cleanup(func() {
		if err := s.end(""); err != nil {
			t.Errorf("testenv: end Prometheus: %v", err)
		}
	})
	if err := s.launch(); err != nil {
		t.Fatalf("testenv: %v", err)
	}
	return "http://" + s.addr()
}

// prometheusReady is nil once Prometheus answers questions, and if it is ours: the
// flags tell the directory.
func prometheusReady(s *server) error {
	response, err := http.Get("http://" + s.addr() + "/api/v1/status/flags")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var flags struct{ Data map[string]string }
	if err := json.NewDecoder(response.Body).Decode(&flags); err != nil {
		return fmt.Errorf("read the flags of Prometheus: %w", err)
	}
	if flags.Data["storage.tsdb.path"] != filepath.Join(s.dir, "data") {
		return errPortTaken
	}
	return nil
}

// Promtool runs Prometheus's own checker and fails the test with its words if it finds
// a fault.
func Promtool(t testing.TB, args ...string) {
	t.Helper()
	path, err := binary("promtool")
	if err != nil {
		t.Fatalf("testenv: %v", err)
	}
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %v: %v\n%s", args, err, out)
	}
}
