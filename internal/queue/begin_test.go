package queue

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/testenv"
)

// A job that only the primary knows to be taken is not worked on: after a failover another
// worker would take it as if nobody had. Once a replica knows, it is, and still as the
// first delivery, since nothing was done.
func TestNoWorkThatReplicasDoNotKnowOf(t *testing.T) {
	b := newBench(t)
	w := b.worker(b.server.Addr, nil)
	w.config.MinReplicas = 1
	begun := make(chan bool, 1)
	Handle(w, func(ctx context.Context, _ probe) error {
		begun <- job.DeliveryFrom(ctx).First
		return nil
	})
	b.run(w)
	b.enqueue(probe{ID: "one"})
	info := b.awaitState("one", asynq.TaskStateRetry, 10*time.Second)
	if info.Retried != 0 || !strings.Contains(info.LastErr, errNotReplicated.Error()) {
		t.Errorf("%d attempts were spent: %s", info.Retried, info.LastErr)
	}
	select {
	case <-begun:
		t.Fatal("worked on what no replica knows to be taken")
	default:
	}
	replica := testenv.NewRedisServer(t)
	host, port, _ := net.SplitHostPort(b.server.Addr)
	if err := dial(t, replica.Addr, Patient).Do(t.Context(), "replicaof", host, port).Err(); err != nil {
		t.Fatal(err)
	}
	select {
	case first := <-begun:
		if !first {
			t.Error("nothing was done before, but Notify will be asked")
		}
	case <-time.After(60 * time.Second):
		t.Fatal("never worked on")
	}
}
