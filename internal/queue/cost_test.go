package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/measure"
	"github.com/govwifi/user-signup/internal/testenv"
)

// cost is what one job costs Redis. None of it depends on the machine.
type cost struct {
	// enqueue and work are commands, those inside scripts counted too.
	enqueue, work float64
	// queued and retained are bytes.
	queued, retained float64
}

// system is a queue whose cost is measured: ours, or asynq with nothing around it.
type system struct {
	enqueue func(id string) error
	// work runs a handler that does nothing, until the returned function is called.
	work func() (stop func())
}

// costJobs is how many jobs the costs are shared among: so many that polls and
// heartbeats, which are by the second, hardly count.
const costJobs = 3000

// text is a job of 190 to 350 bytes: the text has any length that one SMS may have, since
// Redis rounds each size up to one of a few.
func text(id string) job.Job {
	length := crc32.ChecksumIEEE([]byte(id)) % 161
	return job.SignupSMS{Text: job.Text{MessageID: id, Number: "+447700900123", Destination: "07537417417", Text: strings.Repeat("x", int(length)), ReceivedAt: time.Now().UTC()}}
}

func costOf(tb testing.TB, addr string, s system) cost {
	tb.Helper()
	rdb := dial(tb, addr, Patient)
	ctx := context.WithoutCancel(tb.Context())
	if err := s.enqueue("the script is loaded, and the queue known"); err != nil {
		tb.Fatal(err)
	}
	before := look(tb, rdb)
	for i := range costJobs {
		if err := s.enqueue(fmt.Sprintf("3f0ab9a2-4d5c-4a0e-9b1e-%012d", i)); err != nil {
			tb.Fatal(err)
		}
	}
	queued := look(tb, rdb)
	stop := s.work()
	for deadline := time.Now().Add(time.Minute); rdb.ZCard(ctx, "asynq:{interactive}:completed").Val() <= costJobs; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatal("the jobs were not done within a minute")
		}
	}
	stop()
	done := look(tb, rdb)
	each := func(n int) float64 { return float64(n) / costJobs }
	return cost{each(queued.commands - before.commands), each(done.commands - queued.commands),
		each(queued.memory - before.memory), each(done.memory - before.memory)}
}

// seen is what Redis says of itself.
type seen struct{ commands, memory int }

// look leaves out what the test and idle programs ask themselves.
func look(tb testing.TB, rdb redis.UniversalClient) seen {
	tb.Helper()
	text, err := rdb.InfoMap(context.WithoutCancel(tb.Context()), "commandstats", "memory").Result()
	if err != nil {
		tb.Fatal(err)
	}
	var s seen
	for name, value := range text["Commandstats"] {
		calls, err := strconv.Atoi(strings.TrimPrefix(strings.Split(value, ",")[0], "calls="))
		if err != nil {
			tb.Fatal(err)
		}
		switch strings.TrimPrefix(name, "cmdstat_") {
		case "info", "ping", "zcard", "hello", "client|setinfo", "zrangebyscore", "zrange":
		default:
			s.commands += calls
		}
	}
	if s.memory, err = strconv.Atoi(text["Memory"]["used_memory"]); err != nil {
		tb.Fatal(err)
	}
	return s
}

// ours is this package, the payloads sealed or in the clear.
func ours(tb testing.TB, addr string, seal *Sealer) system {
	client := NewClient(dial(tb, addr, Impatient), seal).Grouped(0)
	return system{
		enqueue: func(id string) error { return client.Enqueue(tb.Context(), text(id)) },
		work: func() func() {
			rdb := dial(tb, addr, Patient)
			w := NewWorker(WorkerConfig{Redis: rdb, Sealer: seal, Places: map[job.Queue]int{job.Interactive: 32},
				DrainTimeout: 5 * time.Second, Log: slog.New(slog.DiscardHandler), Observe: func(context.Context, Attempt) {}})
			Handle(w, func(context.Context, job.SignupSMS) error { return nil })
			ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
			done := make(chan error, 1)
			go func() { done <- w.Run(ctx) }()
			return func() {
				cancel()
				if err := errors.Join(<-done, rdb.Close()); err != nil {
					tb.Error(err)
				}
			}
		},
	}
}

// bare is asynq, asked for the same.
func bare(tb testing.TB, addr string) system {
	redis := asynq.RedisClientOpt{Addr: addr}
	client := asynq.NewClient(redis)
	tb.Cleanup(func() { _ = client.Close() })
	return system{
		enqueue: func(id string) error {
			payload, err := json.Marshal(text(id))
			if err != nil {
				return err
			}
			_, err = client.Enqueue(asynq.NewTask("signup-sms", payload), asynq.TaskID(id), asynq.Queue("interactive"), asynq.Retention(remember))
			return err
		},
		work: func() func() {
			server := asynq.NewServer(redis, asynq.Config{Concurrency: 32, Queues: map[string]int{"interactive": 1},
				TaskCheckInterval: 100 * time.Millisecond, LogLevel: asynq.FatalLevel})
			if err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return nil })); err != nil {
				tb.Fatal(err)
			}
			return server.Shutdown
		},
	}
}

// What this package adds to asynq must stay cheap for Redis, which all share.
func TestCostOfAJob(t *testing.T) {
	t.Parallel()
	seal, err := ParseSealKeys(newKey())
	if err != nil {
		t.Fatal(err)
	}
	var clear, sealed, plain cost
	for c, s := range map[*cost]func(addr string) system{
		&clear:  func(addr string) system { return ours(t, addr, nil) },
		&sealed: func(addr string) system { return ours(t, addr, seal) },
		&plain:  func(addr string) system { return bare(t, addr) },
	} {
		addr := testenv.NewRedisServer(t).Addr
		*c = costOf(t, addr, s(addr))
	}
	t.Logf("asynq %+v, in the clear %+v, sealed %+v", plain, clear, sealed)
	for name, c := range map[string]cost{"in the clear": clear, "sealed": sealed} {
		// Sealed, a payload is base64 in JSON, a third longer, with its label beside it.
		most := map[string]float64{"in the clear": 1.15, "sealed": 1.3}[name]
		if got, want := c.enqueue+c.work, plain.enqueue+plain.work; got > 1.05*want {
			t.Errorf("%s: %.1f commands a job; asynq sends %.1f", name, got, want)
		}
		if c.queued > most*plain.queued || c.retained > most*plain.retained {
			t.Errorf("%s: %.0f bytes waiting and %.0f done; asynq's take %.0f and %.0f", name, c.queued, c.retained, plain.queued, plain.retained)
		}
	}
}

// attemptAllocations is what one attempt at a sealed job may allocate beside its handler
// and asynq. A change that needs more raises it here, knowingly.
const attemptAllocations = 40

func TestAllocationsOfAnAttempt(t *testing.T) {
	seal, err := ParseSealKeys(newKey())
	if err != nil {
		t.Fatal(err)
	}
	w := NewWorker(WorkerConfig{Sealer: seal, Log: slog.New(slog.DiscardHandler), Observe: func(_ context.Context, a Attempt) {
		if a.Outcome != Done {
			t.Error(a.Err)
		}
	}})
	Handle(w, func(context.Context, job.SignupSMS) error { return nil })
	payload, err := json.Marshal(text("one"))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := seal.close("signup-sms", "from: +4477*****123", payload)
	if err != nil {
		t.Fatal(err)
	}
	task := asynq.NewTaskWithHeaders("signup-sms", sealed, map[string]string{headerEnqueued: time.Now().Format(time.RFC3339Nano)})
	got := testing.AllocsPerRun(200, func() { _ = w.attempt(t.Context(), task) })
	if got > attemptAllocations+testenv.RaceAllocations {
		t.Errorf("an attempt costs %.0f allocations, more than %d", got, attemptAllocations+testenv.RaceAllocations)
	}
}

// BenchmarkCost is the same as figures.
func BenchmarkCost(b *testing.B) {
	seal, err := ParseSealKeys(newKey())
	if err != nil {
		b.Fatal(err)
	}
	measured := func(s func(addr string) system) cost {
		addr := testenv.NewRedisServer(b).Addr
		return costOf(b, addr, s(addr))
	}
	plain := measured(func(addr string) system { return bare(b, addr) })
	clear := measured(func(addr string) system { return ours(b, addr, nil) })
	sealed := measured(func(addr string) system { return ours(b, addr, seal) })
	for _, row := range []struct {
		what        string
		ours, asynq float64
	}{
		{"Redis commands a job", clear.enqueue + clear.work, plain.enqueue + plain.work},
		{"Redis bytes a waiting job", clear.queued, plain.queued},
		{"Redis bytes a waiting job, sealed", sealed.queued, plain.queued},
		{"Redis bytes a finished job, for a day", clear.retained, plain.retained},
		{"Redis bytes a finished job, sealed", sealed.retained, plain.retained},
	} {
		measure.Row{What: row.what, Ours: fmt.Sprintf("%.0f", row.ours), Reference: fmt.Sprintf("%.0f", row.asynq), Result: row.ours / row.asynq, AtMost: 1.3,
			Is: "asynq bare, the same payloads of 190 to 350 bytes"}.Report(b)
	}
}
