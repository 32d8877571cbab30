package sandbox

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/testenv"
)

// The program itself, from its start to the first text that was answered, and what it
// then holds. On two idle cores the start takes less time than the work in it, so the
// work is what is bounded: it is the same on a machine that is busy with other tests.
func TestFootprint(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "sandbox")
	if err := testenv.Build(filepath.Dir(binary), "../../cmd/sandbox"); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-ingest", "127.0.0.1:0", "-console", "127.0.0.1:0", "-mail", "127.0.0.1:0")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	t.Cleanup(func() {
		if !ended {
			_ = cmd.Process.Kill()
		}
	})
	console := ""
	for lines := bufio.NewScanner(stdout); console == "" && lines.Scan(); {
		console = regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+`).FindString(lines.Text())
	}
	page := fetch(t, console+"/")
	worker, err := strconv.Atoi(regexp.MustCompile(`process ([0-9]+)`).FindStringSubmatch(page)[1])
	if err != nil {
		t.Fatal(err)
	}
	opened := time.Since(started)
	response, err := http.PostForm(console+"/text", url.Values{"phone": {"07700 900123"}, "text": {"Go"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	changes(t, console, func() bool { return strings.Contains(fetch(t, console+"/"), "Username: ") })
	answered, work := time.Since(started), cpu(t, cmd.Process.Pid)+cpu(t, worker)
	t.Logf("page after %s, first answer after %s, of work %s", opened, answered, work)
	if work > 2*time.Second {
		t.Errorf("the start to the first answer takes %s of work, more than 2 s", work)
	}

	changes(t, console, func() bool { return strings.Contains(fetch(t, console+"/numbers"), "Completion rate by month") })
	held := peak(t, cmd.Process.Pid) + peak(t, worker)
	t.Logf("at most %d MB held, with a year counted", held>>20)
	if held > 300<<20 {
		t.Errorf("%d MB are held, more than 300", held>>20)
	}

	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ended = true
	if err := cmd.Wait(); err != nil {
		t.Errorf("the sandbox ends with %v", err)
	}
	if err := syscall.Kill(worker, 0); err == nil {
		t.Error("the worker outlives the sandbox")
	}
}

// changes asks at each change that the page is told of, until the answer is yes.
func changes(t *testing.T, console string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, console+"/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if lines.Text() == "event: change" && done() {
			return
		}
	}
	t.Fatal("the page was told of no change that brought what was waited for")
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var b strings.Builder
	if _, err := bufio.NewReader(response.Body).WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// cpu is the time that a process has worked, user and system (man 5 proc_pid_stat).
func cpu(t *testing.T, pid int) time.Duration {
	t.Helper()
	fields := strings.Fields(after(t, fmt.Sprintf("/proc/%d/stat", pid), ") "))
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		t.Fatal(err)
	}
	system, err := strconv.Atoi(fields[12])
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// peak is the most memory that a process has held.
func peak(t *testing.T, pid int) int64 {
	t.Helper()
	kilobytes, err := strconv.ParseInt(strings.Fields(after(t, fmt.Sprintf("/proc/%d/status", pid), "VmHWM:"))[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}

// after is what follows a mark in a file.
func after(t *testing.T, file, mark string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), mark)
	if !found {
		t.Fatalf("%s has no %q", file, mark)
	}
	return rest
}
