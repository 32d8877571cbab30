package queue

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/govwifi/user-signup/internal/job"
)

// attic is a bench with jobs in the archive: key, queue and reason.
func newAttic(t *testing.T) (*bench, Archive) {
	t.Helper()
	b := newBench(t)
	w := b.worker(b.server.Addr, nil)
	Handle(w, func(context.Context, probe) error { return job.Permanent(errors.New("refused jo@dept.gov.uk")) })
	Handle(w, func(context.Context, batchProbe) error { return job.Permanent(errors.New("MySQL says no")) })
	drain := b.run(w)
	b.enqueue(probe{ID: "one"})
	b.enqueue(probe{ID: "two"})
	b.enqueue(batchProbe{probe{ID: "bulk"}})
	for range 3 {
		await(t, b.attempts, "attempt")
	}
	drain()
	return b, b.client.Archive()
}

func TestListArchive(t *testing.T) {
	b, archive := newAttic(t)
	b.enqueue(probe{ID: "waiting"})
	for name, c := range map[string]struct {
		selection Selection
		want      string
	}{
		"all":            {Selection{}, "bulk one two"},
		"by job":         {Selection{Job: "bulk"}, "bulk"},
		"by queue":       {Selection{Queue: "interactive"}, "one two"},
		"by reason":      {Selection{Reason: "mysql SAYS"}, "bulk"},
		"by key":         {Selection{Key: "two"}, "two"},
		"by all of them": {Selection{Job: "probe", Queue: "interactive", Reason: "refused", Key: "one"}, "one"},
		"contradictory":  {Selection{Job: "probe", Queue: "batch"}, ""},
		"of no queue":    {Selection{Queue: "cron"}, ""},
	} {
		jobs, err := archive.List(t.Context(), c.selection)
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, g := range jobs {
			keys = append(keys, g.Key)
		}
		slices.Sort(keys)
		if got := strings.Join(keys, " "); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	jobs, err := archive.List(t.Context(), Selection{Key: "one"})
	if err != nil || len(jobs) != 1 {
		t.Fatal(jobs, err)
	}
	g := jobs[0]
	if g.Job != "probe" || g.Queue != job.Interactive || g.Reason != "refused j***@d***.gov.uk" || g.Attempts != 1 ||
		time.Since(g.Died) > time.Minute || g.Label == "" {
		t.Errorf("listed %+v", g)
	}
}

// asynq leaves out of a page what it cannot decode; the pages behind it are listed all the same.
func TestListArchiveBehindABrokenJob(t *testing.T) {
	b, archive := newAttic(t)
	before, err := archive.List(t.Context(), Selection{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range archivePage {
		b.enqueue(probe{ID: strconv.Itoa(i)})
		if err := b.inspector.ArchiveTask(string(job.Interactive), strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	broken := []string{"0", strconv.Itoa(archivePage - 1)} // the first page's, from whichever end
	for _, key := range broken {
		if err := b.rdb.HSet(t.Context(), "asynq:{interactive}:t:"+key, "msg", "garbage").Err(); err != nil {
			t.Fatal(err)
		}
	}
	want := len(before) + archivePage - len(broken)
	if jobs, err := archive.List(t.Context(), Selection{}); err != nil || len(jobs) != want {
		t.Errorf("%d of %d jobs, %v", len(jobs), want, err)
	}
}

// A replayed job has all of its patience, is no first delivery, and never gave up its key.
func TestRunArchived(t *testing.T) {
	b := newBench(t)
	archive := b.client.Archive()
	b.client.now = func() time.Time { return time.Now().Add(-30 * time.Hour) }
	if err := b.client.Enqueue(job.WithTrace(t.Context(), "Root=1"), probe{ID: "one"}); err != nil {
		t.Fatal(err)
	}
	setRetried(t, b, "one", 500)
	w := b.worker(b.server.Addr, nil)
	type seen struct {
		job.Delivery
		trace string
	}
	deliveries := make(chan seen, 1)
	Handle(w, func(ctx context.Context, _ probe) error {
		deliveries <- seen{job.DeliveryFrom(ctx), job.TraceFrom(ctx)}
		return errors.New("still failing")
	})
	b.run(w)
	if a := await(t, b.attempts, "attempt"); a.Outcome != Archived || a.Number != 501 {
		t.Fatalf("attempt: %+v", a)
	}
	await(t, deliveries, "delivery")
	b.awaitState("one", asynq.TaskStateArchived, 5*time.Second)

	b.client.now = time.Now
	if ran, err := archive.Run(t.Context(), GivenUp{Queue: job.Interactive, Key: "one"}); !ran || err != nil {
		t.Fatalf("run: %v, %v", ran, err)
	}
	a := await(t, b.attempts, "attempt")
	if a.Outcome != Retried || a.Number != 1 || a.Wait > time.Minute {
		t.Errorf("attempt: %+v", a)
	}
	if d := await(t, deliveries, "delivery"); d.First || d.Last || d.trace != "Root=1" {
		t.Errorf("delivery: %+v", d)
	}
	info := b.awaitState("one", asynq.TaskStateRetry, 5*time.Second)
	if info.Retried != 1 || info.MaxRetry != maxRetry || info.Timeout != time.Minute+backstop || info.Retention != remember || len(info.Headers) != 3 {
		t.Errorf("task: %+v", info)
	}
	b.enqueue(probe{ID: "one"})
	if queued, err := b.inspector.GetQueueInfo("interactive"); err != nil || queued.Size != 1 {
		t.Errorf("queue %+v, %v", queued, err)
	}
}

// A job that was archived at its first attempt is no first delivery either.
func TestRunArchivedAtOnce(t *testing.T) {
	b := newBench(t)
	b.enqueue(probe{ID: "one"})
	if err := b.inspector.ArchiveTask("interactive", "one"); err != nil {
		t.Fatal(err)
	}
	if ran, err := b.client.Archive().Run(t.Context(), GivenUp{Queue: job.Interactive, Key: "one"}); !ran || err != nil {
		t.Fatalf("run: %v, %v", ran, err)
	}
	w := b.worker(b.server.Addr, nil)
	first := make(chan bool, 1)
	Handle(w, func(ctx context.Context, _ probe) error {
		first <- job.DeliveryFrom(ctx).First
		return nil
	})
	b.run(w)
	if await(t, first, "delivery") {
		t.Error("it is a first delivery")
	}
}

// What somebody else has run or deleted meanwhile is left alone.
func TestArchiveIsShared(t *testing.T) {
	b, archive := newAttic(t)
	one, two := GivenUp{Queue: job.Interactive, Key: "one"}, GivenUp{Queue: job.Interactive, Key: "two"}
	for _, want := range []bool{true, false} {
		if ran, err := archive.Run(t.Context(), one); ran != want || err != nil {
			t.Errorf("run: %v, %v", ran, err)
		}
		if deleted, err := archive.Delete(t.Context(), two); deleted != want || err != nil {
			t.Errorf("delete: %v, %v", deleted, err)
		}
	}
	if n := b.rdb.LLen(t.Context(), "asynq:{interactive}:pending").Val(); n != 1 {
		t.Errorf("%d jobs wait", n)
	}
	if deleted, err := archive.Delete(t.Context(), one); deleted || err == nil && b.task(job.Interactive, "one").State != asynq.TaskStatePending {
		t.Errorf("a waiting job was deleted: %v, %v", deleted, err)
	}
}

// Sealed or in the clear, what is shown is the label.
func TestLabel(t *testing.T) {
	text := job.SignupSMS{Text: job.Text{MessageID: "b51f", Number: "+447700900123", Text: "Go"}}
	for name, seal := range map[string]*Sealer{"in the clear": nil, "sealed": sealer(t, newKey())} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			client := NewClient(b.rdb, seal)
			if err := client.Enqueue(t.Context(), text); err != nil {
				t.Fatal(err)
			}
			payload := b.task(job.Interactive, "b51f").Payload
			if got := Label("signup-sms", payload); got != "from: +4477*****123" {
				t.Errorf("%q of %s", got, payload)
			}
		})
	}
	if got := Label("signup-sms-2", []byte(`{"number":"+447700900123"}`)); strings.Contains(got, "7700900123") {
		t.Errorf("unknown: %q", got)
	}
}

// A job inherits the trace of whoever enqueues it; one without begins a trail of its own.
func TestTrace(t *testing.T) {
	b := newBench(t)
	w := b.worker(b.server.Addr, nil)
	traces := make(chan string, 3)
	Handle(w, func(ctx context.Context, _ probe) error {
		traces <- job.TraceFrom(ctx)
		return b.client.Enqueue(ctx, batchProbe{probe{ID: "child"}})
	})
	Handle(w, func(ctx context.Context, _ batchProbe) error {
		traces <- job.TraceFrom(ctx)
		return nil
	})
	b.run(w)
	if err := b.client.Enqueue(job.WithTrace(t.Context(), "Root=1"), probe{ID: "parent"}); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"parent", "child"} {
		if got := await(t, traces, "trace"); got != "Root=1" {
			t.Errorf("%s has %q", who, got)
		}
	}
	b.enqueue(batchProbe{probe{ID: "tick"}})
	if got := await(t, traces, "trace"); got != "tick" {
		t.Errorf("a tick has %q", got)
	}
}
