package scheduler

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/govwifi/user-signup/internal/queue"
	"github.com/govwifi/user-signup/internal/telemetry"
)

// Run keeps the timetable until ctx ends. It starts without Redis too, and makes up
// for what it misses meanwhile.
func Run(ctx context.Context, c Config) error {
	admin, err := net.Listen("tcp", string(c.AdminAddr))
	if err != nil {
		return fmt.Errorf("listen on ADMIN_ADDR: %w", err)
	}
	log, flush := c.logger()
	defer flush()
	return Serve(ctx, c, admin, log)
}

// Serve is Run on a listener that is open already.
func Serve(ctx context.Context, c Config, admin net.Listener, log *slog.Logger) error {
	rdb := c.RedisURL.Connect(queue.Impatient)
	defer func() { _ = rdb.Close() }()
	q := queue.NewClient(rdb, c.SealKeys.Sealer)
	metrics := telemetry.NewMetrics()
	metrics.Queues(q, log)
	for _, warning := range c.warnings() {
		log.Warn(warning)
	}
	s := &Scheduler{Queue: q, Timetable: c.Schedules.Timetable(), Now: time.Now, Wait: wait, Log: log}
	for _, e := range s.Timetable {
		log.Info("periodic job", "job", e.Name, "schedule", e.Schedule.String())
	}
	metrics.SealKeys(c.SealKeys.Keys())
	metrics.Timetable(s, log)
	log.Info("the scheduler keeps the timetable", "admin", admin.Addr().String())

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		s.Run(ctx)
		return nil
	})
	group.Go(func() error {
		return telemetry.Admin{Metrics: metrics, Ready: q.Ready}.Serve(ctx, admin)
	})
	err := group.Wait()
	log.Info("the scheduler has stopped")
	return err
}

// logger is for our own lines and for those of Redis's client.
func (c Config) logger() (log *slog.Logger, flush func()) {
	log, flush = c.Log.Open(os.Stderr)
	queue.LogTo(log)
	return log, flush
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
