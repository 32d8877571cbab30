package job

import (
	"context"
	"time"
)

// Events whose webhook never reached us, or whose job was lost with Redis, are found where
// they came from: texts in GOV.UK Notify's list, mails in the bucket that SES fills.
//
//	the event's job             then
//	waits, runs, is archived    nothing: Redis knows the key
//	is done, for under a day    nothing: Redis knows the key
//	was never, or is forgotten  it is enqueued as recovered, and asks Notify for its
//	                            reference before anything else
//
// What earlier had no answer for a reason gets none again, since the reasons are found
// anew: the same verdicts and allow-list, the same mail without guests, and the same
// texts around a text (govwifi.Repeats).

const (
	// LookBack is where a recovery begins unless told otherwise. Finished jobs are
	// known for as long, so that a run by the clock asks Notify about lost events only.
	LookBack = 24 * time.Hour
	// recoveryReach is the furthest back that anything is recovered. Notify knows for 7
	// days what it has sent, and a recovered job, which must ask it, may be retried for
	// the last of them.
	recoveryReach = 6 * 24 * time.Hour
	// RecoveryPause lies between finding that a job is missing and enqueuing it. If Redis
	// was wiped a moment ago, a worker may be in the midst of that very job: it ends within
	// its time-out, and Notify may go on committing for AmbiguousWait.
	RecoveryPause = messageTimeout + AmbiguousWait
)

// Recovery is the common part of the jobs that look for lost events.
type Recovery struct {
	// Since is the time from which events are looked for.
	Since time.Time `json:"since"`
	// Tick is as in Run.
	Tick string `json:"tick"`
}

// WasRecovered is false: nothing is lost that the next tick does not make up for.
func (Recovery) WasRecovered() bool { return false }

// Label is the time from which events are looked for.
func (r Recovery) Label() string { return "since: " + r.Since.UTC().Format(time.RFC3339) }

// recoverySpec leaves an hour for each attempt, and gives up after another: every tick
// looks for what the ticks before it looked for.
func recoverySpec(name string) Spec {
	return Spec{Name: name, Queue: Maintenance, Timeout: time.Hour, Patience: time.Hour}
}

// since is the payload's, a day ago where it says nothing, and never beyond reach.
func (r Recovery) since(now time.Time) time.Time {
	if r.Since.IsZero() {
		return now.Add(-LookBack)
	}
	return WithinReach(r.Since, now)
}

// WithinReach is the time from which a recovery really looks that is told to begin at since.
func WithinReach(since, now time.Time) time.Time {
	if earliest := now.Add(-recoveryReach); since.Before(earliest) {
		return earliest
	}
	return since
}

// LostJobs is what a recovery needs of the queue.
type LostJobs interface {
	Enqueuer
	// Missing returns those of the jobs that the queue does not know, or has forgotten.
	Missing(ctx context.Context, jobs []Job) ([]Job, error)
}

// found is what a recovery has to say about itself.
type found struct {
	// events were looked at; ignored need no answer; recovered were enqueued.
	events, ignored, recovered int
}

// Pause waits for RecoveryPause, or until ctx is done, which is the error.
type Pause func(ctx context.Context) error
