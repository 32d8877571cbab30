package queue

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/govwifi/user-signup/internal/job"
)

var (
	noon    = time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC)
	oneHour = noon.Add(time.Hour)
)

// What is settled moves forward only, and tells a start, a run and a skip apart.
func TestSettled(t *testing.T) {
	b := newBench(t)
	expect := func(want Settled) {
		t.Helper()
		known, err := b.client.Settled(t.Context())
		if err != nil || known["tidy"] != want || len(known) != 1 {
			t.Fatalf("%v, %v; want %v", known, err, want)
		}
	}
	tick := func(at time.Time, want bool) {
		t.Helper()
		if first, err := b.client.Ticked(t.Context(), "tidy", at); err != nil || first != want {
			t.Fatalf("%v, %v; want %v", first, err, want)
		}
	}
	if err := b.client.Begin(t.Context(), "tidy", noon); err != nil {
		t.Fatal(err)
	}
	expect(Settled{Until: noon})
	tick(noon, false) // before the start there is nothing to do
	tick(oneHour, true)
	tick(oneHour, false)
	tick(noon.Add(time.Minute), false) // a slow scheduler
	expect(Settled{Until: oneHour, Ran: oneHour})
	if err := b.client.Begin(t.Context(), "tidy", oneHour.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := b.client.Skip(t.Context(), "tidy", noon); err != nil {
		t.Fatal(err)
	}
	expect(Settled{Until: oneHour, Ran: oneHour})
	if err := b.client.Skip(t.Context(), "tidy", oneHour.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	expect(Settled{Until: oneHour.Add(time.Minute), Ran: oneHour})
	if ttl := b.rdb.TTL(t.Context(), ticksKey).Val(); ttl != -1 {
		t.Fatalf("what is settled expires in %s", ttl)
	}
}

// Of many schedulers at once, one is told that it was the first.
func TestTickedOnce(t *testing.T) {
	b := newBench(t)
	var firsts atomic.Int32
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			first, err := b.client.Ticked(t.Context(), "tidy", noon)
			if err != nil {
				t.Error(err)
			}
			if first {
				firsts.Add(1)
			}
		})
	}
	wait.Wait()
	if firsts.Load() != 1 {
		t.Fatalf("%d were the first", firsts.Load())
	}
}

// The dashboard reads our rows as those of asynq's own scheduler, with the options
// that the jobs are in fact enqueued with.
func TestTimetableOnTheDashboard(t *testing.T) {
	b := newBench(t)
	weekly := job.PublishStatistics{Run: job.Run{Date: "2026-11-22", Tick: "20261122T1300Z"}, Period: job.Week}
	rows := []TimetableRow{
		{Name: "publish-statistics-week", Cron: "0 13 * * 0", Job: weekly, Next: oneHour, Last: noon},
		{Name: "send-surveys", Cron: "0 14 * * *", Job: job.SendSurveys{}, Next: oneHour.Add(time.Hour)},
	}
	for range 2 { // each round, and each scheduler
		if err := b.client.ShowTimetable(t.Context(), rows); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := b.inspector.SchedulerEntries()
	if err != nil || len(entries) != 2 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	e := entries[0]
	if e.ID != "publish-statistics-week" || e.Spec != "0 13 * * 0" || e.Task.Type() != "publish-statistics" ||
		string(e.Task.Payload()) != `{"date":"2026-11-22","tick":"20261122T1300Z","period":"week"}` ||
		!e.Next.Equal(oneHour) || !e.Prev.Equal(noon) {
		t.Fatalf("entry %+v, payload %s", e, e.Task.Payload())
	}
	if !entries[1].Prev.IsZero() {
		t.Fatalf("a job that never ran was last run at %s", entries[1].Prev)
	}
	b.enqueue(weekly)
	info := b.task(job.Maintenance, weekly.Key())
	options := map[asynq.OptionType]any{}
	for _, o := range e.Opts {
		options[o.Type()] = o.Value()
	}
	want := map[asynq.OptionType]any{asynq.QueueOpt: info.Queue, asynq.MaxRetryOpt: info.MaxRetry,
		asynq.TimeoutOpt: info.Timeout, asynq.RetentionOpt: info.Retention}
	if !maps.Equal(options, want) {
		t.Fatalf("options %v, want %v", options, want)
	}
	if ttl := b.rdb.TTL(t.Context(), pageKey).Val(); ttl <= 0 || ttl > pageTTL {
		t.Fatalf("the rows expire in %s", ttl)
	}
	if err := b.client.HideTimetable(t.Context()); err != nil {
		t.Fatal(err)
	}
	if entries, err := b.inspector.SchedulerEntries(); err != nil || len(entries) != 0 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
}

// A timetable without rows takes the old ones away.
func TestEmptyTimetable(t *testing.T) {
	b := newBench(t)
	for _, rows := range [][]TimetableRow{{{Name: "a", Job: job.SendSurveys{}}}, nil} {
		if err := b.client.ShowTimetable(t.Context(), rows); err != nil {
			t.Fatal(err)
		}
	}
	if entries, err := b.inspector.SchedulerEntries(); err != nil || len(entries) != 0 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
}

// The page's history holds the last runs and no more than asynq would keep.
func TestTicksOnTheDashboard(t *testing.T) {
	b := newBench(t)
	at := noon
	b.client.now = func() time.Time { return at }
	for i := range pageEvents + 5 {
		at = at.Add(time.Second)
		if err := b.client.ShowTick(t.Context(), "tidy", probe{ID: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	events, err := b.inspector.ListSchedulerEnqueueEvents("tidy", asynq.PageSize(2*pageEvents))
	if err != nil || len(events) != pageEvents {
		t.Fatalf("%d events, %v", len(events), err)
	}
	if e := events[0]; e.TaskID != fmt.Sprint(pageEvents+4) || !e.EnqueuedAt.Equal(at) {
		t.Fatalf("newest event %+v", e)
	}
}

// A job's progress, from its first wait to its end.
func TestProgress(t *testing.T) {
	b := newBench(t)
	expect := func(id string, outcome Outcome, reason string) Progress {
		t.Helper()
		p, err := b.client.Progress(t.Context(), probe{ID: id})
		if err != nil || p.Outcome != outcome || p.Reason != reason {
			t.Fatalf("%s: %+v, %v; want %q, %q", id, p, err, outcome, reason)
		}
		return p
	}
	if _, err := b.client.Progress(t.Context(), probe{ID: "well"}); !errors.Is(err, ErrGone) {
		t.Fatalf("without a queue: %v", err)
	}
	for _, id := range []string{"well", "ill", "slow"} {
		b.enqueue(probe{ID: id})
		expect(id, "", "")
	}
	if _, err := b.client.Progress(t.Context(), probe{ID: "other"}); !errors.Is(err, ErrGone) {
		t.Fatalf("unknown: %v", err)
	}
	w := b.worker(b.server.Addr, nil)
	Handle(w, progressHandler)
	b.run(w)
	for range 3 {
		await(t, b.attempts, "attempt")
	}
	b.awaitState("well", asynq.TaskStateCompleted, 5*time.Second)
	b.awaitState("ill", asynq.TaskStateArchived, 5*time.Second)
	b.awaitState("slow", asynq.TaskStateRetry, 5*time.Second)
	expect("well", Done, "")
	expect("ill", Archived, "to j***@d***.gov.uk: no")
	p := expect("slow", Retried, "later (tried again in 1h0m0s)")
	if until := time.Until(p.Next); until < 59*time.Minute || until > time.Hour || time.Since(p.Failed) > time.Minute {
		t.Fatalf("%+v", p)
	}
	b.server.Stop()
	if _, err := NewClient(dial(t, b.server.Addr, Impatient), nil).Progress(t.Context(), probe{ID: "well"}); err == nil ||
		errors.Is(err, ErrGone) || !strings.HasPrefix(err.Error(), "look up a probe job: ") {
		t.Fatalf("without Redis: %v", err)
	}
}

// Nothing of the timetable works without Redis, and each says what did not.
func TestTimetableWithoutRedis(t *testing.T) {
	b := newBench(t)
	b.server.Stop()
	c := NewClient(dial(t, b.server.Addr, Impatient), nil)
	_, settled := c.Settled(t.Context())
	_, ticked := c.Ticked(t.Context(), "tidy", noon)
	errs := []error{settled, ticked, c.Begin(t.Context(), "tidy", noon), c.Skip(t.Context(), "tidy", noon),
		c.ShowTimetable(t.Context(), nil), c.HideTimetable(t.Context()), c.ShowTick(t.Context(), "tidy", probe{})}
	if slices.Contains(errs, nil) {
		t.Fatal(errs)
	}
}
