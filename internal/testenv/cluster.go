package testenv

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
)

// clusterSlots is how many slots every Redis Cluster has.
const clusterSlots = 16384

// Cluster is a Redis Cluster of three primaries, without replicas until one is added.
type Cluster struct {
	// URL is redis-cluster://host:port,host:port,host:port.
	URL string
	// Nodes hold a third of the slots each. A stopped one takes them with it until it
	// is started again.
	Nodes []*RedisServer
}

// NewCluster starts an empty cluster for this test alone and returns when every node
// serves.
func NewCluster(t testing.TB) *Cluster {
	t.Helper()
	c := &Cluster{}
	var addrs []string
	for range 3 {
		node := c.join(t)
		c.Nodes, addrs = append(c.Nodes, node), append(addrs, node.Addr)
	}
	c.URL = "redis-cluster://" + strings.Join(addrs, ",")
	for i, addr := range addrs {
		from, to := clusterSlots*i/len(addrs), clusterSlots*(i+1)/len(addrs)-1
		mustAsk(t, addr, fmt.Sprintf("CLUSTER ADDSLOTSRANGE %d %d", from, to))
	}
	awaitRedis(t, "the cluster to serve all slots", func() bool {
		for _, addr := range addrs {
			info := mustAsk(t, addr, "CLUSTER INFO")
			if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_known_nodes:3") ||
				!strings.Contains(info, fmt.Sprintf("cluster_slots_ok:%d", clusterSlots)) {
				return false
			}
		}
		return true
	})
	return c
}

// join starts a node without slots, which meets the others.
func (c *Cluster) join(t testing.TB) *RedisServer {
	t.Helper()
	bus, err := freePort()
	if err != nil {
		t.Fatalf("testenv: %v", err)
	}
	// A cluster that misses a node goes on with the slots that it has.
	node := newRedisServer(t, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus),
		"--cluster-require-full-coverage", "no", "--cluster-node-timeout", "2000")
	if len(c.Nodes) > 0 {
		host, port, _ := net.SplitHostPort(node.Addr)
		mustAsk(t, c.Nodes[0].Addr, fmt.Sprintf("CLUSTER MEET %s %s %d", host, port, bus))
	}
	return node
}

// AddReplica starts a replica of the node that holds the key, and returns when it is in
// step with it.
func (c *Cluster) AddReplica(t testing.TB, key string) *RedisServer {
	t.Helper()
	of := c.Nodes[0]
	for _, node := range c.Nodes {
		// Any other node says where the key is instead.
		if _, err := ask(node.Addr, "EXISTS "+key); err == nil {
			of = node
		}
	}
	id := mustAsk(t, of.Addr, "CLUSTER MYID")
	replica := c.join(t)
	awaitRedis(t, "the new node to know its primary", func() bool {
		_, err := ask(replica.Addr, "CLUSTER REPLICATE "+id)
		return err == nil
	})
	awaitRedis(t, "the replica to be in step", func() bool {
		return strings.Contains(mustAsk(t, of.Addr, "INFO replication"), "state=online")
	})
	return replica
}
