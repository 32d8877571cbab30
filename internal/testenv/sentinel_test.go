package testenv

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// A primary that is gone is replaced, with what it had, and comes back as a replica.
func TestSentinelsFailOver(t *testing.T) {
	t.Parallel()
	s := NewSentinels(t, 1)
	hosts, _, _ := strings.Cut(strings.TrimPrefix(s.URL, "redis-sentinel://"), "?")
	c := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: master, SentinelAddrs: strings.Split(hosts, ",")})
	t.Cleanup(func() { _ = c.Close() })
	pipe := c.Pipeline()
	pipe.Set(t.Context(), "k", "v", 0)
	wait := pipe.Do(t.Context(), "wait", 1, 5000)
	if _, err := pipe.Exec(t.Context()); err != nil || wait.Val() != int64(1) {
		t.Fatalf("write to the replica too: %v, %v", wait.Val(), err)
	}
	old := s.Primary()
	if old != s.Nodes[0] {
		t.Fatal("the first node is not the primary")
	}
	old.Stop()
	if fresh := s.AwaitFailover(old); fresh != s.Nodes[1] {
		t.Errorf("%s is the primary", fresh.Addr)
	}
	awaitRedis(t, "the client to follow", func() bool { return c.Get(t.Context(), "k").Val() == "v" })
	s.Rejoin(old)
	awaitRedis(t, "the old primary to be a replica", func() bool {
		return strings.HasPrefix(mustAsk(t, old.Addr, "ROLE"), "slave")
	})
}
