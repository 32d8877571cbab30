package queue

import (
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/job"
)

func TestPurge(t *testing.T) {
	b := newBench(t)
	now := time.Now()
	for key, age := range map[string]time.Duration{"young": 13 * 24 * time.Hour, "of this second": 14 * 24 * time.Hour, "old": 15 * 24 * time.Hour, "older": 80 * 24 * time.Hour} {
		b.enqueue(probe{ID: key})
		if err := b.inspector.ArchiveTask("interactive", key); err != nil {
			t.Fatal(err)
		}
		if err := b.rdb.ZAdd(t.Context(), "asynq:{interactive}:archived", zAt(now.Add(-age), key)).Err(); err != nil {
			t.Fatal(err)
		}
	}
	b.enqueue(probe{ID: "waiting"})
	archive := b.client.Archive()
	for _, want := range []int{2, 0} {
		if n, err := archive.Purge(t.Context(), now.Add(-14*24*time.Hour)); n != want || err != nil {
			t.Fatalf("purged %d, %v", n, err)
		}
	}
	for key, want := range map[string]State{"young": Dead, "of this second": Dead, "old": Missing, "older": Missing, "waiting": Open} {
		if state, err := b.client.State(t.Context(), probe{ID: key}); state != want || err != nil {
			t.Errorf("%s is %s, %v", key, state, err)
		}
	}
	b.enqueue(probe{ID: "old"})
	b.task(job.Interactive, "old")
}
