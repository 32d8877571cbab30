package testenv

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Keys lie on all three nodes, a script whose keys do not share a slot is refused, and
// a node that was stopped comes back with its keys.
func TestCluster(t *testing.T) {
	t.Parallel()
	cluster := NewCluster(t)
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: strings.Split(strings.TrimPrefix(cluster.URL, "redis-cluster://"), ",")})
	t.Cleanup(func() { _ = c.Close() })
	keys := []string{"a", "b", "c", "d", "e", "f"}
	for _, key := range keys {
		if err := c.Set(t.Context(), key, "v", 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for i, node := range cluster.Nodes {
		if size := mustAsk(t, node.Addr, "DBSIZE"); size == "0" {
			t.Errorf("node %d is empty", i)
		}
	}
	if err := c.Eval(t.Context(), "return 1", keys[:2]).Err(); err == nil || !strings.Contains(err.Error(), "CROSSSLOT") {
		t.Errorf("a script over two slots: %v", err)
	}
	for _, node := range cluster.Nodes {
		node.Stop()
		node.Start()
	}
	awaitRedis(t, "all keys to be there again", func() bool {
		for _, key := range keys {
			if c.Get(t.Context(), key).Val() != "v" {
				return false
			}
		}
		return true
	})
}
