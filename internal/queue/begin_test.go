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

// The same attempt comes a second time, as after a failover that forgot that the job was
// taken: it is not made, and the next one is no first delivery.
func TestAnAttemptIsMadeOnce(t *testing.T) {
	b := newBench(t)
	replica := testenv.NewRedisServer(t)
	host, port, _ := net.SplitHostPort(b.server.Addr)
	if err := dial(t, replica.Addr, Patient).Do(t.Context(), "replicaof", host, port).Err(); err != nil {
		t.Fatal(err)
	}
	w := b.worker(b.server.Addr, nil)
	w.config.MinReplicas = 1
	Handle(w, func(context.Context, probe) error {
		t.Error("made an attempt that another had begun")
		return nil
	})
	other := newClaim("interactive", "one", 0, nil)
	if err := b.rdb.Set(t.Context(), other.key, other.token, time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	b.run(w)
	b.enqueue(probe{ID: "one"})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		info := b.task(job.Interactive, "one")
		if info.Retried == 1 && info.LastErr == errBegunBefore.Error() {
			if wait := time.Until(info.NextProcessAt); wait < 30*time.Second || wait > job.AmbiguousWait {
				t.Errorf("tried again in %s", wait)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v", info)
		}
	}
}
