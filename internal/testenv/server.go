// Package testenv gives tests a real Redis, MariaDB and Prometheus of their own, a proxy
// that breaks the line to them, and the service's own programs. It is imported by tests only.
//
// A server is a child of the test process and needs nothing but its binary, so
// `go test ./some/package` works as `make test` does. A missing binary fails the
// test: a skipped integration test would look like a passed one.
package testenv

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startLimit is how long a server may take to answer. Far more than it needs:
// a slow machine is no reason to fail.
const startLimit = 60 * time.Second

// supervisor runs a server until its standard input ends, which also happens when
// the test process is killed: then t.Cleanup would not run, and a parent-death
// signal would need a goroutine of ours (goleak would find it) and Linux. It
// prints the server's pid. Unless told to keep it, it removes the directory.
const supervisor = `dir=$1; shift
"$@" >>"$dir/log" 2>&1 </dev/null &
echo $!
read -r word
kill -9 $! 2>/dev/null; wait
[ "$word" = keep ] || rm -rf "$dir"`

// errPortTaken says that another server answers on the port that was free a moment ago.
var errPortTaken = errors.New("another server took the port")

// server is one child process with a port and a directory of its own.
type server struct {
	dir  string
	port int
	// args is the command line, for a directory and a port.
	args func(dir string, port int) []string
	// ready returns nil once the server answers, errPortTaken when another does.
	ready func(*server) error

	cmd   *exec.Cmd
	stdin *os.File
	pid   int
}

// launch starts a server on a free port, in s.dir if it is set.
func (s *server) launch() error {
	if s.dir == "" {
		dir, err := os.MkdirTemp("", "testenv-")
		if err != nil {
			return err
		}
		s.dir = dir
	}
	for {
		port, err := freePort()
		if err != nil {
			return err
		}
		s.port = port
		err = s.start()
		if !errors.Is(err, errPortTaken) {
			return err
		}
		if err := s.end("keep\n"); err != nil {
			return err
		}
	}
}

// start runs the server on s.port over what its directory holds, and returns when it answers.
func (s *server) start() error {
	stdin, keep, err := os.Pipe()
	if err != nil {
		return err
	}
	defer stdin.Close()
	cmd := exec.Command("sh", append([]string{"-c", supervisor, "testenv", s.dir}, s.args(s.dir, s.port)...)...)
	cmd.Stdin = stdin
	// A group of its own, or Ctrl-C would end the supervisor before it has cleaned up.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return errors.Join(err, keep.Close())
	}
	if err := cmd.Start(); err != nil {
		return errors.Join(err, keep.Close())
	}
	s.cmd, s.stdin = cmd, keep
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return fmt.Errorf("read pid of %s: %w", s.args("", 0)[0], err)
	}
	if s.pid, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
		return err
	}
	return s.await()
}

// await asks the server until it answers. Polling, as what MariaDB logs when it is
// ready differs between versions, and one way for both is less to understand.
func (s *server) await() error {
	for deadline := time.Now().Add(startLimit); ; time.Sleep(5 * time.Millisecond) {
		err := s.ready(s)
		if err == nil || errors.Is(err, errPortTaken) {
			return err
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("start %s within %s: %w\n%s", s.args("", 0)[0], startLimit, err, log)
		}
	}
}

// end kills the server at once, as a crash would, and waits until it is gone.
// With "keep\n" the directory stays for the next start.
func (s *server) end(word string) error {
	if s.cmd == nil {
		if word == "" {
			return os.RemoveAll(s.dir)
		}
		return nil
	}
	_, err := s.stdin.WriteString(word)
	err = errors.Join(err, s.stdin.Close(), s.cmd.Wait())
	s.cmd, s.pid = nil, 0
	return err
}

// signal sends a signal to the server itself; its supervisor stays awake.
func (s *server) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if s.pid == 0 {
		t.Fatal("testenv: the server is stopped")
	}
	if err := syscall.Kill(s.pid, sig); err != nil {
		t.Fatalf("testenv: signal server: %v", err)
	}
}

// addr is the host and port the server listens on.
func (s *server) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// freePort finds a port that nobody listens on, below those that the kernel gives
// to outgoing connections: a stopped server must find its port free again.
func freePort() (int, error) {
	var last error
	for range 100 {
		port := 10000 + rand.IntN(20000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, l.Close()
		}
		last = err
	}
	return 0, last
}

// binary finds a program, also where an ordinary user's PATH does not look.
func binary(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	if path, err := exec.LookPath(filepath.Join("/usr/sbin", name)); err == nil {
		return path, nil
	}
	return "", fmt.Errorf("%s is not installed: run `make test`, which installs it, or install Debian's redis-server, mariadb-server, prometheus and chromium", name)
}
