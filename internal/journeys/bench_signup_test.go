package journeys

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/measure"
	"github.com/govwifi/user-signup/internal/notify/notifytest"
)

// signups is how many texts are queued to be measured.
const signups = 6000

// BenchmarkWorker counts sign-ups by text through one worker.
func BenchmarkWorker(b *testing.B) {
	w := newBench(b)
	var ours, bare []float64
	for range 2 {
		w.flush()
		w.enqueue(signups)
		worker := w.work(unlimited)
		keep := worker.profile("worker")
		ours = append(ours, w.throughput(signups))
		keep()
		worker.kill()
		w.flush()
		w.enqueue(signups)
		nothing := start(b, nil, "bare", "work", w.redis.Addr, "32")
		bare = append(bare, w.throughput(signups))
		nothing.kill()
	}
	if got := len(w.notify.Accepted()); got != 2*signups {
		b.Errorf("%d messages for %d sign-ups", got, 2*signups)
	}
	commits := w.commits(round(b))
	limit := min(slices.Max(bare), commits)
	measure.Row{What: "sign-ups through one worker, 32 places, instant Notify", Ours: perSecond(slices.Max(ours)), Reference: perSecond(limit),
		Result: slices.Max(ours) / limit, AtLeast: 0.7, Summary: true,
		Is: fmt.Sprintf("the lower of asynq with a no-op handler (%s) and MariaDB's single-row commits (%s)", perSecond(slices.Max(bare)), perSecond(commits))}.Report(b)
}

// commits is how many rows MariaDB commits per second, one by one, from as many
// connections as a worker has.
func (w *town) commits(d time.Duration) float64 {
	w.Helper()
	const workerConnections = 16
	db := w.mysql.Open(w)
	db.SetMaxIdleConns(workerConnections)
	if _, err := db.ExecContext(w.Context(), "CREATE TABLE commits (id INT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(300))"); err != nil {
		w.Fatal(err)
	}
	var n atomic.Int64
	var wait sync.WaitGroup
	ctx, cancel := context.WithTimeout(w.Context(), d)
	defer cancel()
	for range workerConnections {
		wait.Go(func() {
			for ctx.Err() == nil {
				if _, err := db.ExecContext(context.WithoutCancel(ctx), "INSERT INTO commits (text) VALUES (REPEAT('x', 200))"); err != nil {
					w.Error(err)
					return
				}
				n.Add(1)
			}
		})
	}
	wait.Wait()
	return float64(n.Load()) / d.Seconds()
}

// notifyLatency is what GOV.UK Notify takes to accept a message, about.
const notifyLatency = 50 * time.Millisecond

// BenchmarkPlaces counts sign-ups whose message takes as long as in life.
func BenchmarkPlaces(b *testing.B) {
	w := newBench(b)
	w.notify.Play(notifytest.Always(notifytest.Fault{Delay: notifyLatency}))
	for _, places := range []int{32, 64, 128} {
		w.flush()
		w.enqueue(signups * places / 64)
		worker := w.work(unlimited.with(environment{"WORKER_CONCURRENCY": strconv.Itoa(places)}))
		ours := w.throughput(signups * places / 64)
		worker.kill()
		limit := float64(places) / notifyLatency.Seconds()
		measure.Row{What: fmt.Sprintf("sign-ups, Notify takes 50 ms, %d at once", places), Ours: perSecond(ours), Reference: perSecond(limit),
			Result: ours / limit, AtLeast: 0.9, Is: fmt.Sprintf("%d ÷ 50 ms", places)}.Report(b)
	}
}

// BenchmarkBacklog looks whether a long queue makes a worker slower.
func BenchmarkBacklog(b *testing.B) {
	w := newBench(b)
	curve := measure.Curve{Name: "backlog", Title: "A sign-up while others wait", X: "jobs waiting", Y: "µs per sign-up, one worker"}
	for length := 1000; length <= 100_000; length *= 10 {
		w.flush()
		w.enqueue(length)
		worker := w.work(unlimited)
		curve.Points = append(curve.Points, measure.Point{X: float64(length), Y: 1e6 / w.throughput(1000)})
		worker.kill()
	}
	curve.Report(b)
}
