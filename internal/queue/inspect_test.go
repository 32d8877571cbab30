package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/govwifi/user-signup/internal/job"
)

func progressHandler(_ context.Context, p probe) error {
	switch p.ID {
	case "ill":
		return job.Permanent(errors.New("to jane@digital.gov.uk: no"))
	case "slow":
		return job.RetryAfter(time.Hour, errors.New("later"))
	}
	return nil
}

// measured is what Measure tells.
type measured struct {
	tasks   map[string]int64
	latency map[string]time.Duration
}

func readQueues(t *testing.T, c *Client) (measured, error) {
	t.Helper()
	m := measured{map[string]int64{}, map[string]time.Duration{}}
	err := c.Measure(t.Context(), func(queue, state string, n int64) { m.tasks[queue+" "+state] = n },
		func(queue string, d time.Duration) { m.latency[queue] = d })
	return m, err
}

// Queues that were never used are empty, not unknown.
func TestMeasureNothing(t *testing.T) {
	b := newBench(t)
	m, err := readQueues(t, b.client)
	if err != nil || len(m.tasks) != 18 || len(m.latency) != 3 {
		t.Fatalf("%+v, %v", m, err)
	}
	for what, n := range m.tasks {
		if n != 0 {
			t.Errorf("%s: %d", what, n)
		}
	}
}

// A Redis that lost its data forgets which queues there are, and asynq's client tells it
// only once: what is queued afterwards is seen all the same.
func TestQueuesAfterALoss(t *testing.T) {
	b := newBench(t)
	b.enqueue(probe{ID: "before"})
	lose := func() {
		t.Helper()
		if err := b.rdb.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		b.enqueue(probe{ID: "after"})
	}
	lose()
	if state, err := b.client.State(t.Context(), probe{ID: "after"}); state != Open || err != nil {
		t.Errorf("a queued job is %s, %v", state, err)
	}
	lose()
	if err := b.inspector.ArchiveTask("interactive", "after"); !errors.Is(err, asynq.ErrQueueNotFound) {
		t.Errorf("asynq sees the queue by itself (%v): this work-around can go", err)
	}
	if _, err := readQueues(t, b.client); err != nil {
		t.Fatal(err)
	}
	if err := b.inspector.ArchiveTask("interactive", "after"); err != nil {
		t.Errorf("the dashboard does not see the queue: %v", err)
	}
	if jobs, err := b.client.Archive().List(t.Context(), Selection{}); len(jobs) != 1 || err != nil {
		t.Errorf("in the archive there are %d jobs, %v", len(jobs), err)
	}
}

// Whoever follows many jobs asks for each of them: the queues are not named each time.
func TestAskingForAJobWritesNothing(t *testing.T) {
	b := newBench(t)
	b.enqueue(probe{ID: "followed"})
	named := func() string {
		t.Helper()
		stats, err := b.rdb.InfoMap(t.Context(), "commandstats").Result()
		if err != nil {
			t.Fatal(err)
		}
		calls, _, _ := strings.Cut(stats["Commandstats"]["cmdstat_sadd"], ",")
		return calls
	}
	before := named()
	if state, err := b.client.State(t.Context(), probe{ID: "followed"}); state != Open || err != nil {
		t.Errorf("a queued job is %s, %v", state, err)
	}
	if p, err := b.client.Progress(t.Context(), probe{ID: "followed"}); p.Outcome != "" || err != nil {
		t.Errorf("a queued job has come to %+v, %v", p, err)
	}
	if after := named(); before == "" || after != before {
		t.Errorf("SADD: %s before, %s after", before, after)
	}
}

// The counts are those that asynq itself gives, in every state.
func TestMeasure(t *testing.T) {
	b := newBench(t)
	for _, id := range []string{"well", "ill", "slow"} {
		b.enqueue(probe{ID: id})
	}
	w := b.worker(b.server.Addr, nil)
	Handle(w, progressHandler)
	drain := b.run(w)
	for range 3 {
		await(t, b.attempts, "attempt")
	}
	b.awaitState("well", asynq.TaskStateCompleted, 5*time.Second)
	b.awaitState("ill", asynq.TaskStateArchived, 5*time.Second)
	b.awaitState("slow", asynq.TaskStateRetry, 5*time.Second)
	drain()
	for i := range 4 {
		b.enqueue(batchProbe{probe{ID: fmt.Sprint(i)}})
	}
	b.client.now = func() time.Time { return time.Now().Add(time.Hour) }
	m, err := readQueues(t, b.client)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"interactive", "batch"} {
		info, err := b.inspector.GetQueueInfo(q)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]int64{"pending": int64(info.Pending), "active": int64(info.Active), "scheduled": int64(info.Scheduled),
			"retry": int64(info.Retry), "archived": int64(info.Archived), "completed": int64(info.Completed)}
		got := map[string]int64{}
		for state := range want {
			got[state] = m.tasks[q+" "+state]
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", q, got, want)
		}
	}
	if m.tasks["interactive archived"] != 1 || m.tasks["interactive retry"] != 1 || m.tasks["batch pending"] != 4 {
		t.Errorf("%v", m.tasks)
	}
	if d := m.latency["batch"]; d < time.Hour || d > time.Hour+time.Minute || m.latency["interactive"] != 0 {
		t.Errorf("latencies %v", m.latency)
	}
}

// A job that a stopping worker gave back has lost the time since which it waits.
func TestMeasureGivenBackJob(t *testing.T) {
	b := newBench(t)
	b.enqueue(probe{ID: "one"})
	if err := b.rdb.HDel(t.Context(), "asynq:{interactive}:t:one", "pending_since").Err(); err != nil {
		t.Fatal(err)
	}
	b.client.now = func() time.Time { return time.Now().Add(time.Hour) }
	m, err := readQueues(t, b.client)
	if d := m.latency["interactive"]; err != nil || d < time.Hour {
		t.Fatalf("%s, %v", d, err)
	}
}

// A queue that cannot be read, and one whose job is missing, hide no other.
func TestMeasureBrokenQueue(t *testing.T) {
	b := newBench(t)
	b.enqueue(batchProbe{probe{ID: "lost"}})
	b.enqueue(batchProbe{probe{ID: "later"}})
	if err := b.rdb.Del(t.Context(), "asynq:{batch}:t:lost").Err(); err != nil {
		t.Fatal(err)
	}
	if err := b.rdb.Set(t.Context(), "asynq:{interactive}:pending", "no list", 0).Err(); err != nil {
		t.Fatal(err)
	}
	m, err := readQueues(t, b.client)
	if err == nil || !strings.Contains(err.Error(), "interactive") || strings.Contains(err.Error(), "batch") {
		t.Fatalf("error: %v", err)
	}
	if _, told := m.tasks["interactive pending"]; told || m.tasks["batch pending"] != 2 || len(m.latency) != 2 {
		t.Fatalf("%+v", m)
	}
}
