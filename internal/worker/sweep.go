package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/queue"
	"github.com/govwifi/user-signup/internal/telemetry"
)

const (
	// sweepInterval is how often each worker looks for batches that hang.
	sweepInterval = time.Minute
	// sweepAge leaves a batch alone while its invitations are still being enqueued,
	// which may take several tries.
	sweepAge = time.Hour
)

// sweeper settles the guests whose job died without its handler being told: asynq
// archives a job by itself when its lease expires on the last try. Without it their
// batch would wait for ever and its sponsor would hear nothing. Every worker sweeps;
// all that it does may be done twice.
type sweeper struct {
	tally interface {
		job.GuestTally
		OpenBatches(ctx context.Context, before time.Time) ([]string, error)
		Unsettled(ctx context.Context, batchID string) ([]int, error)
		Batch(ctx context.Context, batchID string) (govwifi.Batch, error)
		Close(ctx context.Context, batchID string) error
	}
	jobs interface {
		job.Enqueuer
		State(ctx context.Context, j job.Job) (queue.State, error)
	}
	log *slog.Logger
	now func() time.Time
}

// run sweeps until ctx ends. A sweep that fails is only reported: the next may not.
func (s sweeper) run(ctx context.Context) error {
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "the sweep for hanging batches did not finish", "err", err)
			}
		}
	}
}

func (s sweeper) sweep(ctx context.Context) error {
	ids, err := s.tally.OpenBatches(ctx, s.now().Add(-sweepAge))
	if err != nil {
		return fmt.Errorf("list open batches: %w", err)
	}
	var errs []error
	for _, id := range ids {
		if err := s.batch(ctx, id); err != nil {
			errs = append(errs, fmt.Errorf("sweep batch %s: %w", id, err))
		}
	}
	return errors.Join(errs...)
}

func (s sweeper) batch(ctx context.Context, id string) error {
	unsettled, err := s.tally.Unsettled(ctx, id)
	if errors.Is(err, govwifi.ErrNotFound) {
		return s.tally.Close(ctx, id) // it expired, or was never stored
	}
	if err != nil {
		return err
	}
	batch, err := s.tally.Batch(ctx, id)
	if err != nil {
		return err
	}
	left := len(unsettled)
	for _, guest := range unsettled {
		if left, err = s.guest(ctx, batch, guest, left); err != nil {
			return err
		}
	}
	if left > 0 {
		return nil
	}
	if err := s.jobs.Enqueue(ctx, job.SponsorReceipt{BatchID: id, Recovered: true}); err != nil {
		return err
	}
	return s.tally.Close(ctx, id)
}

// guest settles a guest whose job is dead, and enqueues one that got lost. A job
// that waits or runs will settle its guest itself. One that is done has settled them, but
// a failover without replicas that are waited for (REDIS_MIN_REPLICAS) may have forgotten
// that. Such a guest was most likely sent credentials; the word of one who was refused is
// lost.
func (s sweeper) guest(ctx context.Context, b govwifi.Batch, guest, left int) (int, error) {
	invite := job.InviteGuest(b, guest, true)
	state, err := s.jobs.State(ctx, invite)
	switch {
	case err != nil:
		return left, err
	case state == queue.Dead:
		s.log.WarnContext(ctx, "a guest whose job is in the archive is settled as refused", "guest", invite.Contact, telemetry.KeyAttr, invite.Key())
		return s.tally.Settle(ctx, b.ID, guest, true)
	case state == queue.Finished:
		s.log.WarnContext(ctx, "a guest whose job is done, but not settled, is settled as sent", "guest", invite.Contact, telemetry.KeyAttr, invite.Key())
		return s.tally.Settle(ctx, b.ID, guest, false)
	case state == queue.Missing:
		s.log.WarnContext(ctx, "a guest whose job is gone is invited again", "guest", invite.Contact, telemetry.KeyAttr, invite.Key())
		return left, s.jobs.Enqueue(ctx, invite)
	}
	return left, nil
}
