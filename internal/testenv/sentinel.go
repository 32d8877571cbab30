package testenv

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// master is what the sentinels call the Redis that they watch.
const master = "signup"

// Sentinels is a primary Redis with replicas, watched by three sentinels that make one
// of the replicas the primary when it is gone. Its methods fail the test when they
// cannot do so; they are not for use by several goroutines.
type Sentinels struct {
	// URL is redis-sentinel://host:port,host:port,host:port?master=signup.
	URL string
	// Nodes are the primary of the beginning and its replicas.
	Nodes []*RedisServer

	t         testing.TB
	sentinels []*server
}

// NewSentinels starts one primary, the given number of replicas, which have caught up,
// and three sentinels, which know each other and all of them. A primary that does not
// answer for a second is failed over.
func NewSentinels(t testing.TB, replicas int) *Sentinels {
	t.Helper()
	s := &Sentinels{t: t}
	for range 1 + replicas {
		s.Nodes = append(s.Nodes, NewRedisServer(t))
	}
	host, port, _ := net.SplitHostPort(s.Nodes[0].Addr)
	for _, replica := range s.Nodes[1:] {
		mustAsk(t, replica.Addr, "REPLICAOF "+host+" "+port)
	}
	awaitRedis(t, "the replicas to catch up", func() bool { return s.inStep(s.Nodes[0]) })
	var addrs []string
	for range 3 {
		s.sentinels = append(s.sentinels, newSentinel(t, port))
		addrs = append(addrs, s.sentinels[len(s.sentinels)-1].addr())
	}
	s.URL = "redis-sentinel://" + strings.Join(addrs, ",") + "?master=" + master
	awaitRedis(t, "the sentinels to know each other", func() bool {
		for _, addr := range addrs {
			watched := mustAsk(t, addr, "INFO sentinel")
			if !strings.Contains(watched, fmt.Sprintf("status=ok,address=127.0.0.1:%s,slaves=%d,sentinels=3", port, replicas)) {
				return false
			}
		}
		return true
	})
	return s
}

// inStep says whether all other nodes have what the primary has.
func (s *Sentinels) inStep(primary *RedisServer) bool {
	info, err := ask(primary.Addr, "INFO replication")
	return err == nil && strings.Count(info, "state=online") == len(s.Nodes)-1
}

// newSentinel starts one sentinel. It keeps what it learns in its configuration file,
// which it therefore must be able to write.
func newSentinel(t testing.TB, port string) *server {
	t.Helper()
	path, err := binary("redis-server")
	if err != nil {
		t.Fatalf("testenv: %v", err)
	}
	dir, err := os.MkdirTemp("", "testenv-")
	if err != nil {
		t.Fatalf("testenv: %v", err)
	}
	config := filepath.Join(dir, "sentinel.conf")
	text := fmt.Sprintf("sentinel monitor %s 127.0.0.1 %s 2\nsentinel down-after-milliseconds %s 1000\nsentinel failover-timeout %s 5000\n",
		master, port, master, master)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatalf("testenv: %v", err)
	}
	s := &server{dir: dir, ready: redisReady, args: func(dir string, port int) []string {
		return []string{path, config, "--sentinel", "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir}
	}}
	t.Cleanup(func() {
		if err := s.end(""); err != nil {
			t.Errorf("testenv: end a sentinel: %v", err)
		}
	})
	if err := s.launch(); err != nil {
		t.Fatalf("testenv: %v", err)
	}
	return s
}

// Primary is the node that the sentinels call so. That may be one that was just stopped.
func (s *Sentinels) Primary() *RedisServer {
	s.t.Helper()
	answer := mustAsk(s.t, s.sentinels[0].addr(), "SENTINEL GET-MASTER-ADDR-BY-NAME "+master)
	host, port, _ := strings.Cut(strings.TrimSpace(answer), "\n")
	for _, node := range s.Nodes {
		if node.Addr == net.JoinHostPort(host, port) {
			return node
		}
	}
	s.t.Fatalf("testenv: the sentinels say that %q is the primary, which is none of the nodes", answer)
	return nil
}

// AwaitFailover waits until another node than the given one is the primary and takes
// writes, as after Stop or Pause of that one.
func (s *Sentinels) AwaitFailover(from *RedisServer) *RedisServer {
	s.t.Helper()
	awaitRedis(s.t, "a failover", func() bool {
		if s.Primary() == from {
			return false
		}
		role, err := ask(s.Primary().Addr, "ROLE")
		return err == nil && strings.HasPrefix(role, "master")
	})
	return s.Primary()
}

// Rejoin starts a stopped node, makes it a replica of the primary and returns when all nodes
// are in step: the next failover is of one node then, not of two. The sentinels would make
// it a replica too, but only after they have looked on for 10 s or, on a busy machine, minutes.
func (s *Sentinels) Rejoin(node *RedisServer) {
	s.t.Helper()
	node.Start()
	if primary := s.Primary(); primary != node {
		host, port, _ := net.SplitHostPort(primary.Addr)
		mustAsk(s.t, node.Addr, "REPLICAOF "+host+" "+port)
	}
	awaitRedis(s.t, "the nodes to be in step", func() bool { return s.inStep(s.Primary()) })
}

// awaitRedis polls: neither Redis nor its sentinels tell when they are done.
func awaitRedis(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(startLimit); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("testenv: waited %s in vain for %s", startLimit, what)
		}
	}
}

func mustAsk(t testing.TB, addr, command string) string {
	t.Helper()
	answer, err := ask(addr, command)
	if err != nil {
		t.Fatalf("testenv: %v", err)
	}
	return answer
}

// ask sends one inline command and returns its answer, the elements of a list one a line.
func ask(addr, command string) (string, error) {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, command+"\r\n"); err != nil {
		return "", err
	}
	answer, err := reply(bufio.NewReader(conn))
	if err != nil {
		return "", fmt.Errorf("ask Redis at %s for %q: %w", addr, command, err)
	}
	return answer, nil
}

// reply reads one answer of Redis's protocol.
func reply(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	kind, rest := line[0], strings.TrimSuffix(line[1:], "\r\n")
	switch kind {
	case '+', ':':
		return rest, nil
	case '-':
		return "", errors.New(rest)
	}
	n, err := strconv.Atoi(rest)
	if err != nil || n < 0 {
		return "", err
	}
	if kind == '$' {
		text := make([]byte, n+len("\r\n"))
		_, err := io.ReadFull(r, text)
		return string(text[:n]), err
	}
	elements := make([]string, n)
	for i := range elements {
		if elements[i], err = reply(r); err != nil {
			return "", err
		}
	}
	return strings.Join(elements, "\n"), nil
}
