package queue

import (
	"context"
	"errors"
	"time"

	"github.com/hibiken/asynq"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/job"
)

// Outcome is what became of an attempt; a label of signup_jobs_total.
type Outcome string

// The outcomes.
const (
	Done     Outcome = "done"
	Retried  Outcome = "retry"
	Archived Outcome = "archived"
)

// result is an attempt's end as asynq is to understand it.
type result struct {
	outcome Outcome
	// text is masked: it lies in Redis and is shown by the dashboard.
	text string
	wait time.Duration
	// free says that the attempt does not count, as the other side asked for
	// patience. A job that was never tried otherwise is not given up for its age: what
	// queued up in a long outage would be, at its first wait for the budget.
	free bool
}

func outcomeOf(err error, retried int, worn bool) result {
	if err == nil {
		return result{outcome: Done}
	}
	text := govwifi.Mask(err.Error())
	var after *job.RetryAfterError
	var slow *govwifi.SlowDownError
	switch {
	case job.IsPermanent(err):
		return result{outcome: Archived, text: text}
	case worn:
		return result{outcome: Archived, text: "given up after many attempts, the last of which: " + text}
	case errors.As(err, &after):
		return result{outcome: Retried, text: text, wait: after.Wait, free: errors.As(err, &slow)}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return result{outcome: Retried, text: text, wait: max(backoff(retried), job.AmbiguousWait)}
	}
	return result{outcome: Retried, text: text, wait: backoff(retried)}
}

func (r result) err() error {
	if r.outcome == Done {
		return nil
	}
	return &attemptError{r}
}

// attemptError carries a result through asynq.
type attemptError struct{ result }

// Error is the masked text alone: asynq stores it as the task's last error.
func (e *attemptError) Error() string { return e.text }

// Is lets asynq find its word for "archive now".
func (e *attemptError) Is(target error) bool {
	return e.outcome == Archived && target == asynq.SkipRetry
}

// retryDelay is asynq's question after a failed attempt. Errors that are not ours
// are its own about a lost lease or an expired context: a message may be on its
// way, so the next delivery must not look for it too soon.
func retryDelay(_ int, err error, _ *asynq.Task) time.Duration {
	var e *attemptError
	if errors.As(err, &e) {
		return e.wait
	}
	return job.AmbiguousWait
}

func spendsAttempt(err error) bool {
	var e *attemptError
	return !errors.As(err, &e) || !e.free
}
