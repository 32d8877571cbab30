package queue

import (
	"context"
	"errors"
	"fmt"

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
	spec := j.Spec()
	info, err := c.inspector(ctx).GetTaskInfo(string(spec.Queue), j.Key())
	switch {
	case errors.Is(err, asynq.ErrTaskNotFound), errors.Is(err, asynq.ErrQueueNotFound):
		return Missing, nil
	case err != nil:
		return "", fmt.Errorf("look for a %s job: %w", spec.Name, err)
	case info.State == asynq.TaskStateCompleted:
		return Finished, nil
	case info.State == asynq.TaskStateArchived:
		return Dead, nil
	}
	return Open, nil
}
