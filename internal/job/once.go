package job

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// AmbiguousWait is how long Notify may go on committing a request whose answer we
// never saw: its server cuts every request off after 30 s (docs/facts.md, A6).
const AmbiguousWait = 36 * time.Second

// Once sends each message exactly once, on a queue that delivers jobs at least
// once and an API without idempotency keys. It is the only way to a message.
//
//	delivery of the job            Notify has the reference   then
//	first                          not asked                  post
//	later, recovered, replayed     yes                        done, nothing is posted
//	                               no                         post
//	                               cannot be asked            retry
//
//	budget of the fleet            then
//	has a message left             post
//	is used up or paused           come back at the given time; no attempt is spent
//
//	answer to the post             outcome
//	accepted                       done
//	refused for this recipient     permanent
//	slow down                      the whole fleet pauses; retry when Notify said
//	limit of one kind of message   retry when Notify said; nobody else pauses
//	unknown (time-out, cut, 5xx)   retry after AmbiguousWait, so that the look-up
//	                               of the next delivery sees a late commit
//	anything else                  retry: nothing was sent
type Once struct {
	// Notify is the adapter to GOV.UK Notify.
	Notify interface {
		// Send posts the message, or returns an error that wraps one of
		// govwifi's sentinels.
		Send(ctx context.Context, m govwifi.Message) error
		// Sent says whether Notify already has a message with the reference.
		Sent(ctx context.Context, reference string) (bool, error)
	}
	// Budget is what all workers together may send.
	Budget interface {
		// Take asks for one message; 0 means go ahead.
		Take(ctx context.Context, q Queue) (wait time.Duration, err error)
		// Pause keeps every worker from sending for a while.
		Pause(ctx context.Context, wait time.Duration) error
	}
}

// Send posts the message unless an earlier delivery of the same job already did.
// Its error is one of the three outcomes.
func (o Once) Send(ctx context.Context, m govwifi.Message) error {
	if m.Reference == "" {
		return Permanent(fmt.Errorf("send %s: it has no reference", m))
	}
	sent, err := o.Sent(ctx, m.Reference)
	if err != nil || sent {
		return err
	}
	wait, err := o.Budget.Take(ctx, DeliveryFrom(ctx).Queue)
	switch {
	case err != nil:
		return fmt.Errorf("send %s: %w", m, err)
	case wait > 0:
		return slower(&govwifi.SlowDownError{Wait: wait, Err: errBudget})
	}
	return o.post(ctx, m)
}

// Sent asks Notify, except on the first delivery of a job, before which nothing can have
// been sent.
func (o Once) Sent(ctx context.Context, reference string) (bool, error) {
	if DeliveryFrom(ctx).First {
		return false, nil
	}
	sent, err := o.Notify.Sent(ctx, reference)
	if err != nil {
		return false, fmt.Errorf("ask Notify whether %s was sent before: %w", reference, slower(err))
	}
	return sent, nil
}

var errBudget = errors.New("the fleet's message budget is used up (NOTIFY_MESSAGES_PER_MINUTE)")

func (o Once) post(ctx context.Context, m govwifi.Message) error {
	err := o.Notify.Send(ctx, m)
	var slow *govwifi.SlowDownError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, govwifi.ErrRefused):
		err = Permanent(err)
	case errors.Is(err, govwifi.ErrAmbiguous):
		err = RetryAfter(AmbiguousWait, err)
	case errors.As(err, &slow) && slow.OneKind:
		err = slower(err)
	case errors.As(err, &slow):
		err = errors.Join(slower(err), o.Budget.Pause(ctx, slow.Wait))
	}
	return err // the adapter has said what was sent, and to whom
}

// slower turns Notify's wish for silence into the retry that honours it.
func slower(err error) error {
	var slow *govwifi.SlowDownError
	if errors.As(err, &slow) {
		return RetryAfter(slow.Wait, err)
	}
	return err
}
