package queue

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/testenv"
)

// The same event, delivered 20 times at once, is one job and 20 times accepted.
func TestEnqueueOnce(t *testing.T) {
	b := newBench(t)
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			if err := b.client.Enqueue(t.Context(), probe{ID: "one"}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if info, err := b.inspector.GetQueueInfo("interactive"); err != nil || info.Size != 1 {
		t.Fatalf("queue: %+v, %v", info, err)
	}
}

// A finished job's key still refuses its event, so a late redelivery is no new job.
func TestFinishedJobRefusesItsEvent(t *testing.T) {
	b := newBench(t)
	w := b.worker(b.server.Addr, nil)
	Handle(w, func(context.Context, probe) error { return nil })
	b.run(w)
	b.enqueue(probe{ID: "one"})
	await(t, b.attempts, "attempt")
	b.awaitState("one", asynq.TaskStateCompleted, 5*time.Second)
	b.enqueue(probe{ID: "one"})
	if info := b.task(job.Interactive, "one"); info.State != asynq.TaskStateCompleted || info.Retention != 24*time.Hour {
		t.Fatalf("state %s, retention %s", info.State, info.Retention)
	}
}

// The reply to our own enqueue is lost; go-redis asks again and meets its own task.
func TestEnqueueWithALostReply(t *testing.T) {
	b := newBench(t)
	b.enqueue(probe{ID: "loads-the-script"})
	proxy := testenv.NewProxy(t, b.server.Addr)
	client := NewClient(dial(t, proxy.Addr, Impatient), nil)
	if err := client.Enqueue(t.Context(), probe{ID: "warm"}); err != nil {
		t.Fatal(err)
	}
	proxy.SwallowReplies(1, "evalsha")
	if err := client.Enqueue(t.Context(), probe{ID: "one"}); err != nil {
		t.Fatalf("the job is in Redis, but: %v", err)
	}
	if proxy.Swallowed() != 1 {
		t.Fatal("no reply was lost")
	}
	b.task(job.Interactive, "one")
}

// Neither a Redis that is gone nor one that hangs holds a webhook for long.
func TestEnqueueWithoutRedis(t *testing.T) {
	for name, breakIt := range map[string]func(*testenv.RedisServer){
		"gone":    (*testenv.RedisServer).Stop,
		"hanging": (*testenv.RedisServer).Pause,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testenv.NewRedisServer(t)
			client := NewClient(dial(t, server.Addr, Impatient), nil)
			if err := client.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			breakIt(server)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			started := time.Now()
			if err := client.Enqueue(ctx, probe{ID: "one"}); err == nil {
				t.Error("enqueued into nothing")
			}
			if err := client.Ready(ctx); err == nil {
				t.Error("ready without Redis")
			}
			if took := time.Since(started); took > 1900*time.Millisecond {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// A Redis that cannot be written to is not ready, though it answers PING.
func TestReadOnlyRedisIsNotReady(t *testing.T) {
	b := newBench(t)
	if err := b.rdb.ConfigSet(t.Context(), "min-replicas-to-write", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if err := b.client.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "write to Redis") {
		t.Fatalf("ready: %v", err)
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"redis://localhost:6379/0":                              "",
		"rediss://u:secret@host:6380":                           "",
		"redis-sentinel://u:secret@a:26379,b:26379?master=main": "",
		"redis-cluster://a:7000,b:7001":                         "",
		"localhost:6379":                                        "no scheme",
		"http://localhost":                                      "unknown scheme",
		"redis://:secret@host:notaport":                         "no valid redis URL",
		"redis-sentinel://a:26379":                              "no master=name",
		"redis-cluster://a:7000,,b:7000":                        "no valid redis-cluster URL",
	} {
		err := new(URL).UnmarshalText([]byte(text))
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, not %q", text, err, want)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("%s: the error repeats the password", text)
		}
	}
}
