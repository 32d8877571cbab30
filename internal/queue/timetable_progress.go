package queue

import (
	"context"
	"errors"
	"time"

	"github.com/hibiken/asynq"

	"github.com/govwifi/user-signup/internal/job"
)

// ErrGone says that a job is not in its queue: never queued, deleted by an operator, or
// finished more than a day ago.
var ErrGone = errors.New("the job is not in its queue any more")

// Progress is how far a job has come.
type Progress struct {
	// Outcome is Done, Archived, Retried while it waits for another attempt, and
	// empty while it waits for its first or is being worked on.
	Outcome Outcome
	// Reason is the masked error of the last attempt that failed, whatever became of
	// the job since; empty if none did.
	Reason string
	// Failed is when that attempt ended, in whole seconds: it tells attempts apart.
	Failed time.Time
	// Next is when a retried job is due.
	Next time.Time
}

// Progress looks a job up by its key. It returns ErrGone where the queue does not
// know it.
func (c *Client) Progress(ctx context.Context, j job.Job) (Progress, error) {
	info, err := c.task(ctx, j)
	if err != nil {
		return Progress{}, err
	}
	p := Progress{Reason: info.LastErr, Failed: info.LastFailedAt}
	switch info.State {
	case asynq.TaskStateCompleted:
		p.Outcome = Done
	case asynq.TaskStateArchived:
		p.Outcome = Archived
	case asynq.TaskStateRetry:
		p.Outcome, p.Next = Retried, info.NextProcessAt
	}
	return p, nil
}
