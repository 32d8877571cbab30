package scheduler

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/govwifi/user-signup/internal/queue"
)

// lookEvery is how often -wait looks at the job.
const lookEvery = 250 * time.Millisecond

// randomTick makes each run by hand one of its own: an operator may repeat a day.
func randomTick() string { return "by-hand-" + strings.ToLower(rand.Text()) }

// run queues the job and says so, and with -wait what becomes of it.
func (r byHand) run(ctx context.Context, c Config, out io.Writer) error {
	c.logger()
	rdb := c.RedisURL.Connect(queue.Patient)
	defer func() { _ = rdb.Close() }()
	q := queue.NewClient(rdb, c.SealKeys.Sealer)
	if err := q.Ready(ctx); err != nil {
		return fmt.Errorf("nothing is queued: %w; check REDIS_URL, and that Redis runs and is not full", err)
	}
	if err := q.Enqueue(ctx, r.job); err != nil {
		return err
	}
	fmt.Fprintf(out, "queued: %s (%s), key %s\n", r.job.Spec().Name, r.job.Label(), r.job.Key())
	if !r.wait {
		return nil
	}
	return r.follow(ctx, q, out)
}

// follow prints each failed attempt once, and returns nil when the job is done or an
// error when it was archived.
func (r byHand) follow(ctx context.Context, q *queue.Client, out io.Writer) error {
	var seen time.Time
	for ; ctx.Err() == nil; wait(ctx, lookEvery) {
		p, err := q.Progress(ctx, r.job)
		if err != nil {
			return err
		}
		switch {
		case p.Outcome == queue.Done:
			fmt.Fprintln(out, "done; the worker's log says what it did")
			return nil
		case p.Outcome == queue.Archived:
			return fmt.Errorf("archived, to be run again from the dashboard: %s", p.Reason)
		case p.Failed.After(seen):
			seen = p.Failed
			again := ""
			if p.Outcome == queue.Retried {
				again = ", tried again at " + p.Next.UTC().Format("15:04:05") + " UTC"
			}
			fmt.Fprintf(out, "an attempt failed%s: %s\n", again, p.Reason)
		}
	}
	return errors.New("waiting was ended; the job itself goes on")
}
