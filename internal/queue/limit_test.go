package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/govwifi/user-signup/internal/job"
)

// A full queue refuses what is new, and nothing else: not an event that it has, not another
// queue's, not a worker's. It takes jobs again when some are done.
func TestLimit(t *testing.T) {
	b := newBench(t)
	var clock atomic.Int64
	client := *b.client
	client.now = func() time.Time { return time.Unix(clock.Load(), 0) }
	clock.Store(time.Now().Unix())
	limited := client.Limited(5)
	ctx := t.Context()
	for i := range 5 {
		if err := limited.Enqueue(ctx, probe{ID: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // by its own count within the second, and by Redis's after it
		if err := limited.Enqueue(ctx, probe{ID: "new"}); !errors.Is(err, ErrFull) {
			t.Errorf("the sixth: %v", err)
		}
		if err := limited.Enqueue(ctx, probe{ID: "3"}); err != nil {
			t.Errorf("an event that is queued: %v", err)
		}
		if err := limited.Enqueue(ctx, batchProbe{probe{ID: "new"}}); err != nil {
			t.Errorf("another queue: %v", err)
		}
		clock.Add(1)
	}
	another := client.Limited(5)
	if err := another.Enqueue(ctx, probe{ID: "new"}); !errors.Is(err, ErrFull) {
		t.Errorf("another process: %v", err)
	}
	b.enqueue(probe{ID: "a worker's"})
	if err := client.Limited(0).Enqueue(ctx, probe{ID: "no limit"}); err != nil {
		t.Error(err)
	}
	w := b.worker(b.server.Addr, nil)
	Handle(w, func(context.Context, probe) error { return nil })
	b.run(w)
	for _, id := range []string{"0", "1", "2", "3", "4", "a worker's", "no limit"} {
		b.awaitState(id, asynq.TaskStateCompleted, 10*time.Second)
	}
	clock.Add(1)
	if err := limited.Enqueue(ctx, probe{ID: "new"}); err != nil {
		t.Errorf("with room again: %v", err)
	}
	b.server.Stop()
	clock.Add(1)
	short, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := limited.Enqueue(short, probe{ID: "later"}); err == nil || errors.Is(err, ErrFull) {
		t.Errorf("without Redis: %v", err)
	}
}

// What a job costs in Redis's memory: the figures of docs/scaling.md.
func TestMemoryPerJob(t *testing.T) {
	b := newBench(t)
	const jobs = 5000
	memory := func() int {
		info, err := b.rdb.Info(t.Context(), "memory").Result()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(info) {
			if text, found := strings.CutPrefix(line, "used_memory:"); found {
				n, _ := strconv.Atoi(strings.TrimSpace(text))
				return n
			}
		}
		t.Fatal("Redis tells no used_memory")
		return 0
	}
	key := func(i int) string { return fmt.Sprintf("b51f638b-0000-4000-8000-%012d", i) }
	enqueue := func(i int) {
		b.enqueue(job.SignupSMS{Text: job.Text{MessageID: key(i), Number: "+447700900123", Destination: "07537417417", Text: "Go", ReceivedAt: time.Now()}})
	}
	enqueue(0) // scripts and the queue's own keys
	started := memory()
	for i := range jobs {
		enqueue(1 + i)
	}
	queued := (memory() - started) / jobs
	w := b.worker(b.server.Addr, nil)
	Handle(w, func(context.Context, job.SignupSMS) error { return nil })
	go func() { // or the worker would wait for somebody to look at its attempts
		for range 1 + jobs {
			<-b.attempts
		}
	}()
	drain := b.run(w)
	for deadline := time.Now().Add(2 * time.Minute); b.rdb.ZCard(t.Context(), "asynq:{interactive}:completed").Val() <= jobs; {
		if time.Now().After(deadline) {
			t.Fatal("the jobs are not done")
		}
		time.Sleep(20 * time.Millisecond) // asynq tells nobody
	}
	drain()
	retained := (memory() - started) / jobs
	t.Logf("bytes of Redis per job of a text: %d queued, %d done and remembered for a day", queued, retained)
	if queued > 1000 || retained > 1100 {
		t.Errorf("more than docs/scaling.md says")
	}
}
