package sandbox

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/govwifi/user-signup/internal/process"
	"github.com/govwifi/user-signup/internal/queue"
	"github.com/govwifi/user-signup/internal/worker"
)

// WorkerCommand is the word that makes the sandbox's own program its worker. The worker
// is a process of its own so that it can be killed as machines kill: with kill -9, and
// nothing put away (docs/decisions/0015-console.md).
const WorkerCommand = "worker"

// adminFile is the listener that a worker inherits: its address outlives it.
const adminFile = 3

// RunWorker is that worker. It takes its configuration from the environment, begins when
// a byte comes in on standard input, and drains when that ends, however its parent does.
func RunWorker(ctx context.Context) error {
	config, err := process.Environment[worker.Config]()
	if err != nil {
		return err
	}
	config.Database.MaxConns = 1 // as the embedded database needs
	admin, err := net.FileListener(os.NewFile(adminFile, "admin"))
	if err != nil {
		return fmt.Errorf("inherit the admin listener (only the sandbox starts this command): %w", err)
	}
	if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
		return admin.Close() // the parent has gone before we began
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	log := config.Log.NewLogger(os.Stderr)
	queue.LogTo(log)
	return worker.Serve(ctx, config, admin, log)
}

// workerProcess starts, kills and restarts the worker.
type workerProcess struct {
	// environment is the worker's configuration, and all that it inherits.
	environment []string
	admin       *net.TCPListener
	// lines takes each line of its log, in JSON.
	lines io.Writer
	// gone is told when it ends without having been told to, and how: "signal: killed".
	gone func(at time.Time, how string)

	mu       sync.Mutex
	running  *exec.Cmd
	stdin    io.WriteCloser
	ended    chan struct{}
	stopping bool
}

// launch makes the process, which waits for begin.
func (w *workerProcess) launch() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running != nil || w.stopping {
		return nil
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find our own program: %w", err)
	}
	inherited, err := w.admin.File()
	if err != nil {
		return fmt.Errorf("hand the admin listener down: %w", err)
	}
	defer inherited.Close()
	cmd := exec.Command(program, WorkerCommand)
	cmd.Env = w.environment
	cmd.ExtraFiles = []*os.File{inherited}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	w.running, w.stdin, w.ended = cmd, stdin, make(chan struct{})
	go w.watch(cmd, stderr, w.ended)
	return nil
}

// begin lets a launched process take jobs.
func (w *workerProcess) begin() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stdin == nil {
		return nil
	}
	if _, err := w.stdin.Write([]byte{'\n'}); err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	return nil
}

// Start brings the worker up, unless it runs.
func (w *workerProcess) Start() error { return errors.Join(w.launch(), w.begin()) }

// watch reads the worker's log until it ends.
func (w *workerProcess) watch(cmd *exec.Cmd, stderr io.Reader, ended chan struct{}) {
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20) // a panic's stack is one line
	for lines.Scan() {
		_, _ = w.lines.Write(append(lines.Bytes(), '\n'))
	}
	_, _ = io.Copy(io.Discard, stderr)
	_ = cmd.Wait() // what it could say of its end is in its log
	w.mu.Lock()
	w.running, w.stdin = nil, nil
	expected := w.stopping
	w.mu.Unlock()
	if !expected {
		w.gone(time.Now(), cmd.ProcessState.String())
	}
	close(ended)
}

// Kill ends the worker as kill -9 does, and returns when it is gone.
func (w *workerProcess) Kill() error {
	w.mu.Lock()
	cmd, ended := w.running, w.ended
	w.mu.Unlock()
	if cmd == nil {
		return nil
	}
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill the worker: %w", err)
	}
	<-ended
	return nil
}

// Process is the worker's id, 0 while it does not run.
func (w *workerProcess) Process() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running == nil {
		return 0
	}
	return w.running.Process.Pid
}

// stop lets the worker drain, and returns when it is gone.
func (w *workerProcess) stop() {
	w.mu.Lock()
	w.stopping = true
	stdin, ended := w.stdin, w.ended
	if stdin != nil {
		_ = stdin.Close()
	}
	w.mu.Unlock()
	if stdin != nil {
		<-ended
	}
}

// relay writes JSON log lines to another logger, for people to read.
type relay struct{ to slog.Handler }

// Write takes one line. What is none, such as the words of a runtime that dies, is passed
// on as it is.
func (r relay) Write(line []byte) (int, error) {
	var known struct {
		Time    time.Time  `json:"time"`
		Level   slog.Level `json:"level"`
		Message string     `json:"msg"`
	}
	ctx := context.Background()
	if json.Unmarshal(line, &known) != nil {
		known.Level, known.Message = slog.LevelError, string(line)
	}
	if !r.to.Enabled(ctx, known.Level) {
		return len(line), nil
	}
	record := slog.NewRecord(known.Time, known.Level, known.Message, 0)
	var rest map[string]any
	_ = json.Unmarshal(line, &rest) // what is no line has no attributes
	for _, name := range []string{"job", "key", "attempt", "outcome", "wait", "duration", "admin", "concurrency", "reason", "err", "trace"} {
		if value, ok := rest[name]; ok {
			record.AddAttrs(slog.Any(name, value))
		}
	}
	return len(line), r.to.Handle(ctx, record)
}

// both writes to one and the other, whatever becomes of either.
type both struct{ one, other io.Writer }

// Write is never short.
func (b both) Write(line []byte) (int, error) {
	_, _ = b.one.Write(line)
	_, _ = b.other.Write(line)
	return len(line), nil
}
