package job

import (
	"errors"
	"fmt"
	"time"
)

// A handler has three outcomes: nil is done; a PermanentError is archived at once,
// counted and visible, since retrying cannot help; every other error is retried,
// after RetryAfterError's wait where the other side said when.

// PermanentError says that retrying cannot help.
type PermanentError struct{ Err error }

// Error is the cause, which operators read in the archive.
func (e *PermanentError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *PermanentError) Unwrap() error { return e.Err }

// Permanent marks an error as one that retrying cannot cure.
func Permanent(err error) error { return &PermanentError{err} }

// IsPermanent finds the mark.
func IsPermanent(err error) bool {
	var p *PermanentError
	return errors.As(err, &p)
}

// RetryAfterError says when the next attempt is welcome.
type RetryAfterError struct {
	// Wait is counted from the end of the attempt.
	Wait time.Duration
	Err  error
}

// Error says why, and when the job is tried again.
func (e *RetryAfterError) Error() string {
	return fmt.Sprintf("%v (tried again in %s)", e.Err, e.Wait.Round(time.Second))
}

// Unwrap gives the cause.
func (e *RetryAfterError) Unwrap() error { return e.Err }

// RetryAfter marks an error with the wait that the other side asked for.
func RetryAfter(wait time.Duration, err error) error { return &RetryAfterError{wait, err} }
