package testenv

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Redis starts an empty Redis for this test alone and returns its URL,
// redis://127.0.0.1:port/0. It ends with the test.
func Redis(t testing.TB) string {
	t.Helper()
	return NewRedisServer(t).URL
}

// RedisServer is a Redis that a test may stop, start, pause and resume. Its methods
// fail the test when they cannot do so; they are not for use by several goroutines.
type RedisServer struct {
	// URL is redis://127.0.0.1:port/0.
	URL string
	// Addr is 127.0.0.1:port, to put a Proxy in front.
	Addr string

	t testing.TB
	s *server
}

// NewRedisServer starts an empty Redis for this test alone. It writes every command
// to its append-only file before it answers, so that what was acknowledged outlives
// Stop. It does not fsync: that would only matter if the machine itself went down.
func NewRedisServer(t testing.TB) *RedisServer {
	t.Helper()
	return newRedisServer(t)
}

func newRedisServer(t testing.TB, options ...string) *RedisServer {
	t.Helper()
	path, err := binary("redis-server")
	if err != nil {
		t.Fatalf("testenv: %v", err)
	}
	s := &server{
		args: func(dir string, port int) []string {
			return append([]string{path, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir,
				"--save", "", "--appendonly", "yes", "--appendfsync", "no"}, options...)
		},
		ready: redisReady,
	}
	t.Cleanup(func() {
		if err := s.end(""); err != nil {
			t.Errorf("testenv: end Redis: %v", err)
		}
	})
	if err := s.launch(); err != nil {
		t.Fatalf("testenv: %v", err)
	}
	return &RedisServer{URL: "redis://" + s.addr() + "/0", Addr: s.addr(), t: t, s: s}
}

// Stop kills Redis at once, as a crash does. Connections are refused afterwards.
func (r *RedisServer) Stop() {
	r.t.Helper()
	if err := r.s.end("keep\n"); err != nil {
		r.t.Fatalf("testenv: stop Redis: %v", err)
	}
}

// Start starts a stopped Redis on the same port, with everything it had acknowledged.
func (r *RedisServer) Start() {
	r.t.Helper()
	if err := r.s.start(); err != nil {
		r.t.Fatalf("testenv: start Redis: %v", err)
	}
}

// Pause freezes Redis: it accepts connections and answers nothing, until Resume.
func (r *RedisServer) Pause() {
	r.t.Helper()
	r.s.signal(r.t, syscall.SIGSTOP)
}

// Resume lets a paused Redis go on; it then answers what was sent meanwhile.
func (r *RedisServer) Resume() {
	r.t.Helper()
	r.s.signal(r.t, syscall.SIGCONT)
}

// redisReady is nil once Redis has read its append-only file (before that, PING is
// refused), and if it is ours: the Redis of another test may have taken the port first.
func redisReady(s *server) error {
	conn, err := net.DialTimeout("tcp", s.addr(), time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "PING\r\nINFO server\r\n"); err != nil {
		return err
	}
	lines := bufio.NewScanner(conn)
	if lines.Scan(); lines.Text() != "+PONG" {
		return fmt.Errorf("ping redis: answer %q (%v)", lines.Text(), lines.Err())
	}
	for lines.Scan() {
		pid, found := strings.CutPrefix(lines.Text(), "process_id:")
		if found && pid != strconv.Itoa(s.pid) {
			return errPortTaken
		}
		if found {
			return nil
		}
	}
	return fmt.Errorf("ask redis for its pid: %w", errors.Join(lines.Err(), io.ErrUnexpectedEOF))
}
