package queue

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/testenv"
)

// With one replica asked for, a job counts when the replica has it and not before;
// the sender's next try finds it there and is accepted.
func TestReplicas(t *testing.T) {
	b := newBench(t)
	client := NewClient(dial(t, b.server.Addr, Impatient), nil).WithReplicas(1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := client.Enqueue(ctx, probe{ID: "one"}); err == nil || !strings.Contains(err.Error(), "only 0 of REDIS_MIN_REPLICAS=1") {
		t.Fatalf("without a replica: %v", err)
	}
	replica := testenv.NewRedisServer(t)
	host, port, _ := net.SplitHostPort(b.server.Addr)
	if err := dial(t, replica.Addr, Patient).Do(ctx, "replicaof", host, port).Err(); err != nil {
		t.Fatal(err)
	}
	for client.Enqueue(ctx, probe{ID: "one"}) != nil && ctx.Err() == nil {
		time.Sleep(50 * time.Millisecond) // a replica tells nobody when it has caught up
	}
	if err := client.Enqueue(ctx, probe{ID: "two"}); err != nil {
		t.Fatalf("with a replica: %v", err)
	}
	replica.Pause()
	started := time.Now()
	if err := client.Enqueue(ctx, probe{ID: "three"}); err == nil {
		t.Error("accepted what no replica has")
	}
	if took := time.Since(started); took > 1500*time.Millisecond {
		t.Errorf("it took %s", took)
	}
	replica.Resume()
	for client.Enqueue(ctx, probe{ID: "three"}) != nil && ctx.Err() == nil {
		time.Sleep(50 * time.Millisecond)
	}
	info, err := b.inspector.GetQueueInfo("interactive")
	if err != nil || info.Size != 3 || ctx.Err() != nil {
		t.Errorf("%+v, %v, %v", info, err, ctx.Err())
	}
}
