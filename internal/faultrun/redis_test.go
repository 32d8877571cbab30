package faultrun

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/govwifi/user-signup/internal/testenv"
)

// master is what the sentinels call the Redis that they watch.
const master = "chaos"

// replicas is how many a primary has.
const replicas = 2

// store is where the jobs are: one Redis behind a line that can break, or a primary with
// two replicas under three sentinels. Each fsyncs every write, as documented.
type store struct {
	t     testing.TB
	logs  string
	nodes []*node
	// line is in front of a single Redis; nil under sentinels.
	line *testenv.Proxy
	// sentinels are their addresses.
	sentinels []string
	// rdb looks behind the programs' back, past the line.
	rdb *redis.Client
}

// node is one Redis.
type node struct {
	*process
	addr string
	disk *disk
}

// newStore starts the Redis of a run.
func newStore(t testing.TB, dir, logs string, failover bool) *store {
	t.Helper()
	s := &store{t: t, logs: logs}
	if !failover {
		s.nodes = []*node{s.newNode(dir, 0, false)}
		s.line = testenv.NewProxy(t, s.nodes[0].addr)
		s.rdb = redis.NewClient(&redis.Options{Addr: s.nodes[0].addr})
	} else {
		for i := range 1 + replicas {
			s.nodes = append(s.nodes, s.newNode(dir, i, true))
		}
		s.watch(dir)
		s.rdb = redis.NewFailoverClient(&redis.FailoverOptions{MasterName: master, SentinelAddrs: s.sentinels})
	}
	t.Cleanup(func() { _ = s.rdb.Close() })
	return s
}

func (s *store) newNode(dir string, i int, failover bool) *node {
	s.t.Helper()
	n := &node{disk: newDisk(s.t, filepath.Join(dir, fmt.Sprintf("redis-%d", i))), addr: freeAddr(s.t)}
	_, port, _ := net.SplitHostPort(n.addr)
	text := fmt.Sprintf("port %s\nbind %s\nreplica-announce-ip %[2]s\nprotected-mode no\ndir %s\nsave \"\"\nappendonly yes\nappendfsync always\n"+
		"maxmemory-policy noeviction\nrepl-diskless-sync-delay 0\nrepl-timeout 10\n", port, host, n.disk.dir)
	if failover {
		text += "min-replicas-to-write 1\nmin-replicas-max-lag 10\n" // docs/scaling.md
	}
	if i > 0 {
		_, primary, _ := net.SplitHostPort(s.nodes[0].addr)
		text += fmt.Sprintf("replicaof %s %s\n", host, primary)
	}
	// A file, in which a sentinel has it noted whose replica it is, if any.
	config := filepath.Join(dir, fmt.Sprintf("redis-%d.conf", i))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	n.process = launch(s.t, s.logs, fmt.Sprintf("redis-%d", i), os.Environ(), "redis-server", config)
	await(s.t, n.name, func() bool {
		info, err := ask(n.addr, "info", "server")
		return err == nil && strings.Contains(fmt.Sprint(info), fmt.Sprintf("process_id:%d\r", n.pid()))
	})
	return n
}

// watch starts three sentinels, each with a configuration file that it may write.
func (s *store) watch(dir string) {
	s.t.Helper()
	_, port, _ := net.SplitHostPort(s.nodes[0].addr)
	for i := range 3 {
		own := filepath.Join(dir, fmt.Sprintf("sentinel-%d", i))
		if err := os.MkdirAll(own, 0o700); err != nil {
			s.t.Fatal(err)
		}
		addr := freeAddr(s.t)
		_, sentinelPort, _ := net.SplitHostPort(addr)
		text := fmt.Sprintf("port %[1]s\nbind %[4]s\nprotected-mode no\nsentinel announce-ip %[4]s\ndir %[2]s\nsentinel monitor %[3]s %[4]s %[5]s 2\n"+
			"sentinel down-after-milliseconds %[3]s 2000\nsentinel failover-timeout %[3]s 6000\n", sentinelPort, own, master, host, port)
		config := filepath.Join(own, "sentinel.conf")
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
		launch(s.t, s.logs, fmt.Sprintf("sentinel-%d", i), os.Environ(), "redis-server", config, "--sentinel")
		s.sentinels = append(s.sentinels, addr)
	}
	for _, addr := range s.sentinels {
		await(s.t, "the sentinels to know each other", func() bool {
			info, err := ask(addr, "info", "sentinel")
			return err == nil && strings.Contains(fmt.Sprint(info), fmt.Sprintf("slaves=%d,sentinels=3", replicas))
		})
	}
}

// url is the programs' REDIS_URL.
func (s *store) url() string {
	if s.line != nil {
		return "redis://" + s.line.Addr + "/0"
	}
	return "redis-sentinel://" + strings.Join(s.sentinels, ",") + "?master=" + master
}

// primary is the node that the sentinels call so.
func (s *store) primary() *node {
	for _, addr := range s.sentinels {
		answer, err := ask(addr, "sentinel", "get-master-addr-by-name", master)
		list, _ := answer.([]any)
		if err != nil || len(list) != 2 {
			continue
		}
		for _, n := range s.nodes {
			if n.addr == net.JoinHostPort(fmt.Sprint(list[0]), fmt.Sprint(list[1])) {
				return n
			}
		}
	}
	return s.nodes[0]
}

// others are all nodes but the primary.
func (s *store) others() []*node {
	var others []*node
	primary := s.primary()
	for _, n := range s.nodes {
		if n != primary {
			others = append(others, n)
		}
	}
	return others
}

// onDisk says whether the replicas have on disk what they told the primary they have, and
// waits a little for it. A replica that has synchronised in full acknowledges writes at
// once, and its append-only file, begun anew, counts only when it is complete: whoever kills
// all nodes in that moment takes what was acknowledged with them (docs/reliability.md).
func (s *store) onDisk(replicas []*node) bool {
	s.t.Helper()
	for range 60 {
		complete := 0
		for _, n := range replicas {
			info, err := ask(n.addr, "info")
			text := fmt.Sprint(info)
			if err == nil && strings.Contains(text, "master_link_status:up") &&
				strings.Contains(text, "aof_rewrite_in_progress:0") && strings.Contains(text, "aof_rewrite_scheduled:0") {
				complete++
			}
		}
		if complete == len(replicas) {
			return true
		}
		time.Sleep(50 * time.Millisecond)
	}
	return false
}

// rejoin makes a node that was away, and still takes itself for the primary, a replica of
// the one that took over. The sentinels would do so too, but only after they have looked
// on for a while.
func (s *store) rejoin(n *node) {
	if s.sentinels == nil {
		return
	}
	go func() {
		for range 40 {
			time.Sleep(250 * time.Millisecond)
			primary := s.primary()
			if primary == n || !isMaster(primary.addr) || !isMaster(n.addr) {
				continue
			}
			_, port, _ := net.SplitHostPort(primary.addr)
			if _, err := ask(n.addr, "replicaof", host, port); err == nil {
				return
			}
		}
	}()
}

func isMaster(addr string) bool {
	role, err := ask(addr, "role")
	list, _ := role.([]any)
	return err == nil && len(list) > 0 && list[0] == "master"
}

// ask sends one command on a connection of its own.
func ask(addr string, args ...any) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true, DisableIdentity: true, Protocol: 2})
	defer func() { _ = c.Close() }()
	return c.Do(ctx, args...).Result()
}

// await polls for what nobody signals.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// host is the loopback address of this process alone, so that runs side by side never
// take each other's ports.
var host = fmt.Sprintf("127.%d.%d.%d", 16+os.Getpid()>>16&63, os.Getpid()>>8&255, os.Getpid()&255)

// freeAddr is an address that nobody listens on, with a port below those that the kernel
// gives to outgoing connections: what was killed must find its port free again.
func freeAddr(t testing.TB) string {
	t.Helper()
	for port := 10000; port < 30000; port++ {
		addr := net.JoinHostPort(host, strconv.Itoa(port))
		if _, taken := given.LoadOrStore(port, true); taken {
			continue
		}
		listener, err := net.Listen("tcp", addr)
		if err == nil {
			_ = listener.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}

// given are the ports that this process has handed out.
var given sync.Map
