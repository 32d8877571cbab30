// Package queue carries jobs through Redis: it enqueues, routes, retries, seals and
// archives them. It is the only importer of asynq, whose known faults
// (docs/asynq.md, sections 1 and 2) are worked around here and nowhere else:
//
//   - a lost acknowledgement is never sent again → resendable
//   - a retry whose reply was lost is sent again, and takes the job from whoever has it
//     by then → resendable
//   - MaxRetry(0) archives a task that never ran → maxRetry is never 0
//   - a lost reply makes our own task a conflict → Client.Enqueue takes it as done
//   - time-outs are whole seconds, 0 means 30 min → Worker keeps its own deadline
//   - Start succeeds without Redis → Worker.Run asks first
//   - a queue is named to Redis once, and not again after a loss → Client.publish
//   - the mux matches names by prefix → Worker.routes is a map
package queue

import "time"

const (
	// maxRetry bounds only jobs that kill their worker again and again: those
	// that merely fail are archived by age (job.Spec.Patience). At about two
	// minutes a crash this is well over a day.
	maxRetry = 1000
	// remember is how long a finished job's key still refuses a second event of
	// the same identity: beyond every retry of Notify (25 min) and SNS (1 h).
	remember = 24 * time.Hour
	// backstop is what asynq's own time-out has on top of ours, which ends the
	// attempt first and in fractions of a second.
	backstop = 10 * time.Second
	// headerEnqueued holds the time of enqueuing, RFC 3339.
	headerEnqueued = "enqueued"
	// headerReplayed holds the time at which an operator ran the job again, RFC
	// 3339: its patience is counted from then, and it is no first delivery.
	headerReplayed = "replayed"
	// headerTrace holds job.TraceFrom of whoever enqueued.
	headerTrace = "trace"
)
