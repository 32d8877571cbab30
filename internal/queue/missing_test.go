package queue

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/govwifi/user-signup/internal/job"
)

// A job that waits, has ended or is archived is known; of two queues each has its own keys.
func TestMissing(t *testing.T) {
	b := newBench(t)
	w := b.worker(b.server.Addr, nil)
	Handle(w, func(_ context.Context, p probe) error {
		if p.ID == "dead" {
			return job.Permanent(fmt.Errorf("no"))
		}
		return nil
	})
	drain := b.run(w)
	b.enqueue(probe{ID: "done"})
	b.enqueue(probe{ID: "dead"})
	b.awaitState("done", asynq.TaskStateCompleted, 5*time.Second)
	b.awaitState("dead", asynq.TaskStateArchived, 5*time.Second)
	drain()
	b.enqueue(probe{ID: "waits"})
	asked := []job.Job{probe{ID: "done"}, probe{ID: "new"}, probe{ID: "dead"}, batchProbe{probe{ID: "waits"}}, probe{ID: "waits"}}
	for i := range 2 * askAtOnce {
		asked = append(asked, probe{ID: fmt.Sprint(i)})
	}
	missing, err := b.client.Missing(t.Context(), asked)
	if err != nil || len(missing) != 2+2*askAtOnce {
		t.Fatalf("%d missing, %v", len(missing), err)
	}
	var keys []string
	for _, j := range missing[:3] {
		keys = append(keys, string(j.Spec().Queue)+" "+j.Key())
	}
	if want := []string{"interactive new", "batch waits", "interactive 0"}; !slices.Equal(keys, want) {
		t.Errorf("%v, want %v", keys, want)
	}
	b.server.Stop()
	if _, err := b.client.Missing(t.Context(), asked); err == nil {
		t.Error("nothing is missing from a Redis that is away")
	}
}
