package queue

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/testenv"
)

func TestMain(m *testing.M) {
	LogTo(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

// probe is a job whose policy a test chooses.
type probe struct {
	ID        string `json:"id"`
	Contact   string `json:"contact"`
	Recovered bool   `json:"recovered"`
	// Short asks for a time-out below a second.
	Short bool `json:"-"`
}

func (p probe) Spec() job.Spec {
	s := job.Spec{Name: "probe", Queue: job.Interactive, Timeout: time.Minute, Patience: time.Hour}
	if p.Short {
		s.Timeout = 300 * time.Millisecond
	}
	return s
}
func (p probe) Key() string        { return p.ID }
func (p probe) Label() string      { return "to: j***@d***.gov.uk" }
func (p probe) WasRecovered() bool { return p.Recovered }

// shortProbe is routed by its own, short policy.
type shortProbe struct{ probe }

func (p shortProbe) Spec() job.Spec {
	return job.Spec{Name: "short", Queue: job.Interactive, Timeout: 300 * time.Millisecond, Patience: time.Hour}
}

// batchProbe waits in another queue.
type batchProbe struct{ probe }

func (p batchProbe) Spec() job.Spec {
	return job.Spec{Name: "bulk", Queue: job.Batch, Timeout: time.Minute, Patience: time.Hour}
}

// bench is a Redis with a client, a worker's making and eyes on both.
type bench struct {
	t         *testing.T
	server    *testenv.RedisServer
	rdb       redis.UniversalClient
	client    *Client
	inspector *asynq.Inspector
	log       *logBuffer
	attempts  chan Attempt
}

func newBench(t *testing.T) *bench {
	t.Helper()
	t.Parallel()
	b := &bench{t: t, server: testenv.NewRedisServer(t), log: &logBuffer{}, attempts: make(chan Attempt, 1000)}
	b.rdb = dial(t, b.server.Addr, Patient)
	b.client = NewClient(b.rdb, nil)
	b.inspector = asynq.NewInspectorFromRedisClient(b.rdb)
	return b
}

func dial(t testing.TB, addr string, temper Temper) redis.UniversalClient {
	t.Helper()
	return dialURL(t, "redis://"+addr, temper)
}

func dialURL(t testing.TB, url string, temper Temper) redis.UniversalClient {
	t.Helper()
	var u URL
	if err := u.UnmarshalText([]byte(url)); err != nil {
		t.Fatal(err)
	}
	rdb := u.Connect(temper)
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

func (b *bench) enqueue(j job.Job) {
	b.t.Helper()
	if err := b.client.Enqueue(b.t.Context(), j); err != nil {
		b.t.Fatal(err)
	}
}

// worker makes one on its own connection to addr; sealed or not.
func (b *bench) worker(addr string, seal *Sealer) *Worker {
	b.t.Helper()
	return NewWorker(WorkerConfig{
		Redis: dial(b.t, addr, Patient), Sealer: seal,
		Places:       map[job.Queue]int{job.Interactive: 4, job.Batch: 2},
		DrainTimeout: 5 * time.Second,
		Log:          slog.New(slog.NewTextHandler(b.log, nil)),
		Observe:      func(_ context.Context, a Attempt) { b.attempts <- a },
	})
}

// run works until the returned function is called, which drains.
func (b *bench) run(w *Worker) (drain func()) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	drain = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("run: %v", err)
		}
	})
	b.t.Cleanup(drain)
	return drain
}

func (b *bench) task(queue job.Queue, key string) *asynq.TaskInfo {
	b.t.Helper()
	info, err := b.inspector.GetTaskInfo(string(queue), key)
	if err != nil {
		b.t.Fatalf("task %s: %v", key, err)
	}
	return info
}

// awaitState polls, since asynq tells nobody when it has moved a task.
func (b *bench) awaitState(key string, want asynq.TaskState, within time.Duration) *asynq.TaskInfo {
	b.t.Helper()
	deadline := time.Now().Add(within)
	for {
		info := b.task(job.Interactive, key)
		if info.State == want {
			return info
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("task %s is %s, not %s (%s)", key, info.State, want, info.LastErr)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func await[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("no %s within 20 s", what)
		panic("unreachable")
	}
}

// logBuffer is a log that a test can wait for.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (b *bench) awaitLog(text string) {
	b.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !bytes.Contains([]byte(b.log.String()), []byte(text)) {
		if time.Now().After(deadline) {
			b.t.Fatalf("the log never said %q:\n%s", text, b.log)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// setRetried makes a queued task look as if it had failed before.
func setRetried(t *testing.T, b *bench, key string, n int) {
	t.Helper()
	if n == 0 {
		return
	}
	name := "asynq:{interactive}:t:" + key
	text, err := b.rdb.HGet(t.Context(), name, "msg").Result()
	if err != nil {
		t.Fatal(err)
	}
	// Field 6 of asynq's TaskMessage is its retried count.
	message := protowire.AppendTag([]byte(text), 6, protowire.VarintType)
	message = protowire.AppendVarint(message, uint64(n))
	if err := b.rdb.HSet(t.Context(), name, "msg", message).Err(); err != nil {
		t.Fatal(err)
	}
}

func zAt(at time.Time, key string) redis.Z { return redis.Z{Score: float64(at.Unix()), Member: key} }
