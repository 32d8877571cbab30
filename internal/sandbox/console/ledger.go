package console

import (
	"context"

	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/notify/notifytest"
	"github.com/govwifi/user-signup/internal/queue"
)

// ledger is the proof that nothing was lost and nothing sent twice. What is owed is known
// from the service's log, what was sent from GOV.UK Notify, and where the rest is from
// Redis: three witnesses that know nothing of each other.
type ledger struct {
	// Acknowledged counts webhooks answered 200; Idle those of them that repeat an
	// event or need nothing.
	Acknowledged, Idle int
	// Unread are sponsors' mails whose guests are not known yet.
	Unread int
	// Expected are the jobs that each owe one message, and is the sum of the five
	// below.
	Expected int
	// Sent is how many of them Notify has; Doubled how many it has more than once.
	Sent, Doubled int
	// Waiting are in the queue, GivenUp in its archive for an operator, Unneeded
	// settled without a message, as for a sender who repeats themselves.
	Waiting, GivenUp, Unneeded int
	// Lost are in neither place: it stays 0, whatever is broken.
	Lost int
}

// messageJobs are the jobs that send a message to a person who wrote, or for whom
// somebody did.
var messageJobs = map[string]job.Queue{
	job.SignupEmail{}.Spec().Name:    job.Interactive,
	job.SignupSMS{}.Spec().Name:      job.Interactive,
	job.HelpSMS{}.Spec().Name:        job.Interactive,
	job.SponsorInvite{}.Spec().Name:  job.Batch,
	job.SponsorReceipt{}.Spec().Name: job.Batch,
}

// named stands for a job of which no more is known than its name and key.
type named struct{ name, key string }

func (n named) Spec() job.Spec     { return job.Spec{Name: n.name, Queue: messageJobs[n.name]} }
func (n named) Key() string        { return n.key }
func (n named) Label() string      { return "" }
func (n named) WasRecovered() bool { return false }

func (c *Console) ledger(ctx context.Context, accepted []notifytest.Accepted) ledger {
	times := map[string]int{}
	for _, m := range accepted {
		times[m.Reference]++
	}
	var l ledger
	l.Acknowledged, l.Idle = c.Trail.Acknowledged()
	for _, j := range c.Trail.Jobs() {
		if j.Name == (job.SponsorBatch{}).Spec().Name {
			l.batch(c.state(ctx, job.SponsorBatch{SignupEmail: job.SignupEmail{MessageID: j.Key}}))
			continue
		}
		if _, owes := messageJobs[j.Name]; !owes {
			continue
		}
		l.Expected++
		if n := times[j.Key]; n > 0 {
			l.Sent++
			l.Doubled += n - 1
			continue
		}
		l.place(c.state(ctx, named{j.Name, j.Key}))
	}
	return l
}

// place counts a job without a message by where Redis has it.
func (l *ledger) place(s queue.State) {
	switch s {
	case queue.Open:
		l.Waiting++
	case queue.Dead:
		l.GivenUp++
	case queue.Finished:
		l.Unneeded++
	case queue.Missing:
		l.Lost++
	}
}

// batch counts a sponsor's mail, which owes no message itself.
func (l *ledger) batch(s queue.State) {
	switch s {
	case queue.Open:
		l.Unread++
	case queue.Missing:
		l.Lost++
	case queue.Dead, queue.Finished:
	}
}

// state asks Redis. A job that it cannot tell of is taken as waiting: no news is no loss.
func (c *Console) state(ctx context.Context, j job.Job) queue.State {
	s, err := c.Jobs.State(ctx, j)
	if err != nil {
		c.Log.Warn("the state of a job is not known", "job", j.Spec().Name, "key", j.Key(), "err", err)
		return queue.Open
	}
	return s
}
