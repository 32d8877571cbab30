package queue

import (
	"context"
	"errors"

	"github.com/hibiken/asynq"

	"github.com/govwifi/user-signup/internal/job"
)

// State is where a job is.
type State string

// The states.
const (
	// Missing: Redis does not know the job, or has forgotten it.
	Missing State = "missing"
	// Open: it waits, runs or is to be tried again.
	Open State = "open"
	// Finished: it is done and remembered.
	Finished State = "finished"
	// Dead: it is in the archive.
	Dead State = "dead"
)

// State says where the job with j's key is.
func (c *Client) State(ctx context.Context, j job.Job) (State, error) {
	info, err := c.task(ctx, j)
	switch {
	case errors.Is(err, ErrGone):
		return Missing, nil
	case err != nil:
		return "", err
	case info.State == asynq.TaskStateCompleted:
		return Finished, nil
	case info.State == asynq.TaskStateArchived:
		return Dead, nil
	}
	return Open, nil
}
