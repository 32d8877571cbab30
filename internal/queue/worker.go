package queue

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/govwifi/user-signup/internal/job"
)

// WorkerConfig is how a Worker works.
type WorkerConfig struct {
	// Redis is a Patient connection, shared by all queues and the caller's to
	// close.
	Redis redis.UniversalClient
	// Sealer opens payloads; nil where they lie in the clear.
	Sealer *Sealer
	// Places is how many jobs of each queue run at once; a queue without places
	// is not served.
	Places map[job.Queue]int
	// MinReplicas is how many replicas must know of an attempt before it is made; 0 is
	// none. Without, a failover may have a message sent twice.
	MinReplicas int
	// DrainTimeout is how long running jobs may go on after Run's context ends.
	// Whoever is not done by then is cancelled and tried again elsewhere.
	DrainTimeout time.Duration
	// Log gets asynq's own words, and a line for each job that is taken (debug): the
	// only trace of a job whose worker is killed.
	Log *slog.Logger
	// Observe is told of every attempt, from many goroutines at once.
	Observe func(context.Context, Attempt)
}

// Attempt is one run of a job's handler, for logs and metrics.
type Attempt struct {
	Job   string
	Queue job.Queue
	Key   string
	// Number counts from 1.
	Number int
	// Wait is the time from enqueuing, or from being run again, to this attempt.
	Wait     time.Duration
	Duration time.Duration
	Outcome  Outcome
	// Free says that the attempt does not count: the job was told to come back later.
	Free bool
	// Err is masked, and nil when done.
	Err error
}

// Worker works the queues. Register handlers with Handle, then call Run.
type Worker struct {
	config WorkerConfig
	routes map[string]route
	// begins carries the claims of attempts; Run makes it.
	begins *committer
	// drained is cancelled when the drain time is over.
	drained context.Context
	expire  context.CancelFunc
}

// route is the way to a handler.
type route struct {
	spec   job.Spec
	handle func(ctx context.Context, payload []byte, first bool) error
}

// NewWorker makes a worker without handlers.
func NewWorker(c WorkerConfig) *Worker {
	drained, expire := context.WithCancel(context.Background())
	return &Worker{config: c, routes: map[string]route{}, drained: drained, expire: expire}
}

// Handle registers the handler of J's jobs under their exact name.
func Handle[J job.Job](w *Worker, handle func(context.Context, J) error) {
	var zero J
	spec := zero.Spec()
	w.routes[spec.Name] = route{spec, func(ctx context.Context, payload []byte, first bool) error {
		var j J
		if err := json.Unmarshal(payload, &j); err != nil {
			// What encoding/json says of it may quote it.
			return job.Permanent(fmt.Errorf("the payload is none of a %s job of this release; its %T is not shown, since it may quote what is personal", spec.Name, err))
		}
		d := job.DeliveryFrom(ctx)
		d.First = first && !j.WasRecovered()
		return handle(job.WithDelivery(ctx, d), j)
	}}
}

// Names are the jobs that have a handler.
func (w *Worker) Names() []string { return slices.Sorted(maps.Keys(w.routes)) }

// Run serves until ctx ends, then takes no more jobs and lets the running ones
// finish. It fails at once if Redis cannot be reached, which asynq would not.
func (w *Worker) Run(ctx context.Context) error {
	if err := w.config.Redis.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("reach Redis: %w", err)
	}
	w.begins = newCommitter(w.config.Redis, w.config.MinReplicas)
	var servers []*asynq.Server
	for _, queue := range job.Queues() {
		for left := w.config.Places[queue]; left > 0; left -= serverPlaces {
			server := w.server(queue, min(left, serverPlaces))
			if err := server.Start(asynq.HandlerFunc(w.attempt)); err != nil {
				return fmt.Errorf("serve the %s queue: %w", queue, err)
			}
			servers = append(servers, server)
		}
	}
	<-ctx.Done()
	timer := time.AfterFunc(w.config.DrainTimeout, w.expire)
	defer timer.Stop()
	for _, server := range servers {
		server.Stop()
	}
	var wait sync.WaitGroup
	for _, server := range servers {
		wait.Go(server.Shutdown)
	}
	wait.Wait()
	return nil
}

// serverPlaces is how many places an asynq server has at most. It fetches one job after
// the other, each a round trip to a Redis that fsyncs what others wrote too, so more places
// need more servers to fill them (docs/decisions/0018-cores.md). asynqmon lists each.
const serverPlaces = 8

// server serves one queue; with one server for several, a slow batch would hold
// the places of people who wait.
func (w *Worker) server(queue job.Queue, places int) *asynq.Server {
	return asynq.NewServerFromRedisClient(&resendable{UniversalClient: w.config.Redis}, asynq.Config{
		Concurrency: places,
		Queues:      map[string]int{string(queue): 1},
		// A cancelled attempt gets a moment to report itself: asynq would put it
		// back as if it had never begun, and its message might go out twice.
		ShutdownTimeout:          w.config.DrainTimeout + 5*time.Second,
		TaskCheckInterval:        100 * time.Millisecond,
		DelayedTaskCheckInterval: time.Second,
		RetryDelayFunc:           retryDelay,
		IsFailure:                spendsAttempt,
		Logger:                   asynqLog{w.config.Log},
		LogLevel:                 asynq.WarnLevel,
	})
}

// attempt runs one job's handler and translates its outcome into asynq's words.
func (w *Worker) attempt(ctx context.Context, task *asynq.Task) error {
	started := time.Now()
	retried, _ := asynq.GetRetryCount(ctx)
	limit, _ := asynq.GetMaxRetry(ctx)
	key, _ := asynq.GetTaskID(ctx)
	queue, _ := asynq.GetQueueName(ctx)
	since, replayed := waitingSince(task.Headers(), started)
	r, known := w.routes[task.Type()]
	if !known {
		r = unknown(task.Type())
	}
	age := max(0, started.Sub(since)) // by two machines' clocks
	worn := retried >= limit || (retried >= leastAttempts && age >= r.spec.Patience)

	// A job that nobody's event began, such as a tick, begins a trail of its own.
	ctx = job.WithTrace(ctx, cmp.Or(task.Headers()[headerTrace], key))
	ctx = job.WithDelivery(ctx, job.Delivery{Key: key, Last: worn, Queue: job.Queue(queue)})
	w.config.Log.DebugContext(ctx, "taken", "job", r.spec.Name, "key", key, "attempt", retried+1, "wait", age.Round(time.Millisecond))
	result := w.underClaim(ctx, newClaim(queue, key, retried, task.Headers()), func() result {
		return outcomeOf(w.run(ctx, r, task, retried == 0 && !replayed), retried, worn)
	})
	w.config.Observe(ctx, Attempt{
		Job: r.spec.Name, Queue: job.Queue(queue), Key: key, Number: retried + 1,
		Wait: age, Duration: time.Since(started), Outcome: result.outcome, Free: result.free, Err: result.err(),
	})
	return result.err()
}

// waitingSince is when a job began to wait: when it was enqueued or, if an operator ran
// it again, then. Without either time, as in a job put there by hand, it is now.
func waitingSince(headers map[string]string, now time.Time) (since time.Time, replayed bool) {
	if since, err := time.Parse(time.RFC3339Nano, headers[headerReplayed]); err == nil {
		return since, true
	}
	since, err := time.Parse(time.RFC3339Nano, headers[headerEnqueued])
	if err != nil {
		return now, false
	}
	return since, false
}

// leastAttempts is what even a job that waited longer than its patience gets, such
// as one queued while every worker was down.
const leastAttempts = 5

// unknown waits for a worker of the release that knows the job.
func unknown(name string) route {
	return route{job.Spec{Name: "unknown", Timeout: time.Second, Patience: 24 * time.Hour},
		func(context.Context, []byte, bool) error {
			return fmt.Errorf("this release has no handler for a job named %q: it waits for a worker of a newer one", name)
		}}
}

// run calls the handler within the job's time-out and the drain time. A panic is an
// error like any other; its stack goes to the log, its words may hold anything.
func (w *Worker) run(ctx context.Context, r route, task *asynq.Task, first bool) (err error) {
	ctx, cancel := context.WithTimeout(ctx, r.spec.Timeout)
	defer cancel()
	defer context.AfterFunc(w.drained, cancel)()
	defer func() {
		if p := recover(); p != nil {
			w.config.Log.ErrorContext(ctx, "a handler panicked", "job", r.spec.Name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic in the handler of %s, see the log", r.spec.Name)
		}
	}()
	payload, err := w.config.Sealer.open(task.Type(), task.Payload())
	if err != nil {
		return job.Permanent(err)
	}
	return r.handle(ctx, payload, first)
}
