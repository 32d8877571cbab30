package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/testenv"
)

// asynq's Start returns nil without Redis and then serves nothing.
func TestRunFailsWithoutRedis(t *testing.T) {
	b := newBench(t)
	w := b.worker(b.server.Addr, nil)
	b.server.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := w.Run(ctx); err == nil || ctx.Err() != nil {
		t.Fatalf("run: %v, %v", err, ctx.Err())
	}
}

// Redis is cut off while a handler finishes. asynq's own re-send of the
// acknowledgement can never succeed, and would have the job done twice.
func TestLostAcknowledgementIsSentAgain(t *testing.T) {
	b := newBench(t)
	proxy := testenv.NewProxy(t, b.server.Addr)
	w := b.worker(proxy.Addr, nil)
	var runs atomic.Int32
	begun, finish := make(chan bool), make(chan bool)
	Handle(w, func(context.Context, probe) error {
		runs.Add(1)
		begun <- true
		<-finish
		return nil
	})
	b.run(w)
	b.enqueue(probe{ID: "one"})
	await(t, begun, "handler")
	proxy.Cut()
	close(finish)
	b.awaitLog("Will retry syncing")
	proxy.Restore()
	b.awaitState("one", asynq.TaskStateCompleted, 20*time.Second)
	if runs.Load() != 1 {
		t.Fatalf("the job was done %d times", runs.Load())
	}
}

// A worker took the job and died. asynq counts that as a failed attempt, so with
// MaxRetry(0) the job would be archived without ever having run.
func TestJobOfADeadWorkerIsTriedAgain(t *testing.T) {
	b := newBench(t)
	b.enqueue(probe{ID: "one"})
	// What a dead worker leaves behind: an active task whose lease has long expired.
	for _, command := range [][]any{
		{"lrem", "asynq:{interactive}:pending", 0, "one"},
		{"lpush", "asynq:{interactive}:active", "one"},
		{"hset", "asynq:{interactive}:t:one", "state", "active"},
		{"zadd", "asynq:{interactive}:lease", time.Now().Add(-time.Hour).Unix(), "one"},
	} {
		if err := b.rdb.Do(t.Context(), command...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	w := b.worker(b.server.Addr, nil)
	Handle(w, func(context.Context, probe) error { return nil })
	b.run(w) // a worker looks for such jobs as it starts
	info := b.awaitState("one", asynq.TaskStateRetry, 10*time.Second)
	if wait := time.Until(info.NextProcessAt); wait < 30*time.Second || wait > job.AmbiguousWait {
		t.Errorf("tried again in %s: Notify may still be sending the dead worker's message", wait)
	}
	if _, err := b.rdb.ZAdd(t.Context(), "asynq:{interactive}:retry", zAt(time.Now(), "one")).Result(); err != nil {
		t.Fatal(err)
	}
	if a := await(t, b.attempts, "attempt"); a.Outcome != Done || a.Number != 2 {
		t.Errorf("attempt: %+v", a)
	}
}

// asynq stores whole seconds and takes 300 ms for 0, and 0 for half an hour.
func TestShortTimeout(t *testing.T) {
	b := newBench(t)
	w := b.worker(b.server.Addr, nil)
	took := make(chan time.Duration, 1)
	Handle(w, func(ctx context.Context, _ shortProbe) error {
		started := time.Now()
		<-ctx.Done()
		took <- time.Since(started)
		return ctx.Err()
	})
	b.run(w)
	b.enqueue(shortProbe{probe{ID: "one"}})
	if d := await(t, took, "time-out"); d < 250*time.Millisecond || d > 2*time.Second {
		t.Errorf("timed out after %s", d)
	}
	if info := b.task(job.Interactive, "one"); info.Timeout != time.Second+backstop {
		t.Errorf("asynq's own time-out is %s", info.Timeout)
	}
}

func TestOutcomes(t *testing.T) {
	slow := &govwifi.SlowDownError{Wait: 7 * time.Second, Err: errors.New("429")}
	for name, c := range map[string]struct {
		err     error
		state   asynq.TaskState
		retried int
		text    string
		wait    [2]time.Duration
	}{
		"permanent":   {fmt.Errorf("a: %w", job.Permanent(errors.New("jo@dept.gov.uk is refused"))), asynq.TaskStateArchived, 0, "a: j***@d***.gov.uk is refused", [2]time.Duration{}},
		"retry":       {errors.New("MySQL is away for +447700900123"), asynq.TaskStateRetry, 1, "MySQL is away for +4477*****123", [2]time.Duration{3 * time.Second, 7 * time.Second}},
		"retry after": {job.RetryAfter(90*time.Second, errors.New("unknown")), asynq.TaskStateRetry, 1, "unknown (tried again in 1m30s)", [2]time.Duration{88 * time.Second, 90 * time.Second}},
		"slow down":   {job.RetryAfter(7*time.Second, slow), asynq.TaskStateRetry, 0, "slow down", [2]time.Duration{5 * time.Second, 7 * time.Second}},
		"cancelled":   {context.Canceled, asynq.TaskStateRetry, 1, "context canceled", [2]time.Duration{33 * time.Second, 37 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			w := b.worker(b.server.Addr, nil)
			Handle(w, func(context.Context, probe) error { return c.err })
			b.run(w)
			b.enqueue(probe{ID: "one"})
			if a := await(t, b.attempts, "attempt"); a.Free != (name == "slow down") {
				t.Errorf("attempt %+v", a)
			}
			info := b.awaitState("one", c.state, 5*time.Second)
			if info.Retried != c.retried || !strings.Contains(info.LastErr, c.text) {
				t.Errorf("retried %d, last error %q", info.Retried, info.LastErr)
			}
			if wait := time.Until(info.NextProcessAt); c.state == asynq.TaskStateRetry && (wait < c.wait[0] || wait > c.wait[1]) {
				t.Errorf("waits %s", wait)
			}
		})
	}
}

// A job is given up by age, not by a count that a Notify outage would use up, and
// its last attempt knows that it is the last.
func TestGivenUpByAge(t *testing.T) {
	for name, c := range map[string]struct {
		retried int
		age     time.Duration
		want    Outcome
	}{
		"young, tried often":          {500, 59 * time.Minute, Retried},
		"old, tried often":            {5, time.Hour, Archived},
		"old, hardly tried":           {4, 30 * time.Hour, Retried},
		"killed its worker too often": {maxRetry, time.Minute, Archived},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			w := b.worker(b.server.Addr, nil)
			last := make(chan bool, 1)
			Handle(w, func(ctx context.Context, _ probe) error {
				last <- job.DeliveryFrom(ctx).Last
				return errors.New("still failing")
			})
			b.client.now = func() time.Time { return time.Now().Add(-c.age) }
			b.enqueue(probe{ID: "one"})
			setRetried(t, b, "one", c.retried)
			b.run(w)
			if got := await(t, b.attempts, "attempt"); got.Outcome != c.want || got.Number != c.retried+1 {
				t.Errorf("attempt: %+v", got)
			}
			if got := <-last; got != (c.want == Archived) {
				t.Errorf("the handler was told last=%v", got)
			}
		})
	}
}

func TestDeliveryIsFirst(t *testing.T) {
	for name, c := range map[string]struct {
		recovered bool
		retried   int
		want      bool
	}{
		"new":       {false, 0, true},
		"recovered": {true, 0, false},
		"retried":   {false, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			w := b.worker(b.server.Addr, nil)
			first := make(chan bool, 1)
			Handle(w, func(ctx context.Context, _ probe) error {
				first <- job.DeliveryFrom(ctx).First
				return nil
			})
			b.enqueue(probe{ID: "one", Recovered: c.recovered})
			setRetried(t, b, "one", c.retried)
			b.run(w)
			if got := await(t, first, "delivery"); got != c.want {
				t.Errorf("first = %v", got)
			}
		})
	}
}

// A prefix of a known name, or a name that begins with one, is another job: asynq's
// own mux would give it to the wrong handler. It waits for a worker that knows it.
func TestUnknownJobWaits(t *testing.T) {
	b := newBench(t)
	w := b.worker(b.server.Addr, nil)
	Handle(w, func(context.Context, probe) error { t.Error("wrong handler"); return nil })
	client := asynq.NewClientFromRedisClient(b.rdb)
	for _, name := range []string{"probe-2", "pro"} {
		if _, err := client.Enqueue(asynq.NewTask(name, nil), asynq.Queue("interactive"), asynq.TaskID(name), asynq.MaxRetry(9)); err != nil {
			t.Fatal(err)
		}
	}
	b.run(w)
	for _, name := range []string{"probe-2", "pro"} {
		info := b.awaitState(name, asynq.TaskStateRetry, 10*time.Second)
		if !strings.Contains(info.LastErr, "newer one") {
			t.Errorf("last error: %q", info.LastErr)
		}
	}
}

func TestPanicIsARetry(t *testing.T) {
	b := newBench(t)
	w := b.worker(b.server.Addr, nil)
	Handle(w, func(context.Context, probe) error { panic("jo@dept.gov.uk") })
	b.run(w)
	b.enqueue(probe{ID: "one"})
	await(t, b.attempts, "attempt")
	if info := b.awaitState("one", asynq.TaskStateRetry, 5*time.Second); !strings.Contains(info.LastErr, "panic") || strings.Contains(info.LastErr, "jo@") {
		t.Errorf("last error: %q", info.LastErr)
	}
	b.awaitLog("a handler panicked")
}

// A full batch queue takes no place from a person who waits.
func TestQueuesHaveTheirOwnPlaces(t *testing.T) {
	b := newBench(t)
	w := b.worker(b.server.Addr, nil)
	busy, release := make(chan bool, 10), make(chan bool)
	Handle(w, func(context.Context, batchProbe) error { busy <- true; <-release; return nil })
	Handle(w, func(context.Context, probe) error { return nil })
	b.run(w)
	for i := range 10 {
		b.enqueue(batchProbe{probe{ID: fmt.Sprint("bulk-", i)}})
	}
	await(t, busy, "batch job")
	await(t, busy, "batch job")
	b.enqueue(probe{ID: "person"})
	if a := await(t, b.attempts, "attempt"); a.Key != "person" {
		t.Errorf("first done: %+v", a)
	}
	close(release)
}

// A queue with more places than one asynq server has fills them all, and has no more.
func TestPlacesOfManyServers(t *testing.T) {
	b := newBench(t)
	const places = 2*serverPlaces + 3
	w := b.worker(b.server.Addr, nil)
	w.config.Places = map[job.Queue]int{job.Interactive: places}
	begun, finish := make(chan bool, places), make(chan bool)
	Handle(w, func(context.Context, probe) error {
		begun <- true
		<-finish
		return nil
	})
	for i := range places {
		b.enqueue(probe{ID: fmt.Sprint(i)})
	}
	b.run(w)
	for range places {
		await(t, begun, "a job in each place")
	}
	close(finish)
	servers, err := b.inspector.Servers()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, server := range servers {
		sum += server.Concurrency
	}
	if sum != places || len(servers) != 3 {
		t.Errorf("%d servers with %d places instead of 3 with %d", len(servers), sum, places)
	}
}

// SIGTERM lets a running job finish; who is not done in time is cancelled, counts as
// tried, and is told from a job that never began.
func TestDrain(t *testing.T) {
	for name, c := range map[string]struct {
		drain   time.Duration
		want    asynq.TaskState
		retried int
	}{
		"in time":  {10 * time.Second, asynq.TaskStateCompleted, 0},
		"too late": {200 * time.Millisecond, asynq.TaskStateRetry, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			w := b.worker(b.server.Addr, nil)
			w.config.DrainTimeout = c.drain
			begun, finish := make(chan bool), make(chan bool)
			Handle(w, func(ctx context.Context, _ probe) error {
				begun <- true
				select {
				case <-finish:
					return nil
				case <-ctx.Done():
					return fmt.Errorf("send: %w", ctx.Err())
				}
			})
			drain := b.run(w)
			b.enqueue(probe{ID: "one"})
			await(t, begun, "handler")
			stopped := make(chan bool)
			go func() { drain(); close(stopped) }()
			if c.want == asynq.TaskStateCompleted {
				b.enqueue(probe{ID: "not-taken-any-more"})
				close(finish)
			}
			await(t, stopped, "end of the drain")
			if info := b.task(job.Interactive, "one"); info.State != c.want || info.Retried != c.retried {
				t.Errorf("state %s, retried %d", info.State, info.Retried)
			}
		})
	}
}

func TestBackoffLastsADay(t *testing.T) {
	t.Parallel()
	var total time.Duration
	attempts := 0
	for total < 24*time.Hour {
		wait := backoff(attempts)
		if wait < 4*time.Second || wait > 18*time.Minute {
			t.Fatalf("wait %d is %s", attempts, wait)
		}
		total += wait
		attempts++
	}
	if attempts < 60 || attempts > maxRetry/2 {
		t.Errorf("%d attempts in a day", attempts)
	}
	if backoff(0) > 6*time.Second || backoff(500) < 12*time.Minute {
		t.Error("the waits do not grow")
	}
}
