package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// Some periodic jobs write to many people. One message to each, over kills of workers,
// lost queues and runs that are repeated, is made of four steps, each of which may be
// done twice:
//
//	plan      a row for each person and occasion in our own table, whose unique key
//	          lets no second one in; its random id is the message's for good
//	mark      signup_survey_sent_at, followup_sent_at: this person is planned for
//	enqueue   a job for each planned message that is not sent yet
//	send      the message, once (Once); then the row says so
//
//	killed between     then
//	plan and mark      the next run plans again, and meets its own row
//	mark and enqueue   the next run enqueues what is planned
//	enqueue and send   the job is delivered again
//	send and "sent"    the next delivery asks Notify for the id
//
// Marking after sending instead would forget nobody either, but a person who is refused
// for good would be tried every day. A message that was not sent within 5 days is given
// up: Notify's memory of ids lasts 7.
//
// The id cannot be the username, which is a credential, nor anything computed from the
// person's row: what is in there is found again by trying (docs/contract.md, section 6).

// Planned is the common part of the jobs that send a planned message.
type Planned struct {
	// MessageID is the random id of the plan. Who it is for is known to the
	// database alone.
	MessageID string `json:"message_id"`
}

// Label is the id.
func (p Planned) Label() string { return "message: " + p.MessageID }

// WasRecovered is always true. The queue may have lost an earlier job of this message,
// after it sent it: the plan would then be enqueued anew. Nobody waits for these
// messages, so each can afford the question.
func (Planned) WasRecovered() bool { return true }

// plannedSpec is common to the planned messages: nobody waits for them.
func plannedSpec(p govwifi.Purpose) Spec {
	return Spec{Name: string(p), Queue: Maintenance, Timeout: messageTimeout, Patience: wholeDay}
}

// PlannedSender is what the handlers of all planned messages need.
type PlannedSender struct {
	Plans interface {
		// Addressee is whom an unsent message is for; govwifi.ErrNotFound if it has
		// been sent or is too old, or the person's row is gone.
		Addressee(ctx context.Context, messageID string) (govwifi.Addressee, error)
		// MarkSent notes that nothing is left to do.
		MarkSent(ctx context.Context, messageID string) error
	}
	Messages Messages
	Log      *slog.Logger
}

// send sends what compose makes for the addressee as they are now; false means that
// they are to get nothing any more.
func (s PlannedSender) send(ctx context.Context, id, key string, compose func(govwifi.Addressee) (govwifi.Message, bool)) error {
	addressee, err := s.Plans.Addressee(ctx, id)
	if errors.Is(err, govwifi.ErrNotFound) {
		s.Log.InfoContext(ctx, "a planned message was sent before, is too old, or its person is gone", "key", key)
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up who a message is for: %w", err)
	}
	message, wanted := compose(addressee)
	if wanted {
		message.Reference = key
		if err := s.Messages.Send(ctx, message); err != nil {
			return err
		}
	}
	if err := s.Plans.MarkSent(ctx, id); err != nil {
		return fmt.Errorf("note that a message was sent: %w", err)
	}
	return nil
}

// Planner enqueues planned messages.
type Planner struct {
	Pending interface {
		// PendingMessages is a page of the ids of unsent messages behind the given
		// id; an empty page is the last.
		PendingMessages(ctx context.Context, p govwifi.Purpose, after string) ([]string, error)
	}
	Jobs Enqueuer
	Log  *slog.Logger
}

// enqueue makes a job for each message that is not sent yet, those included that an
// earlier run planned and did not get to.
func (p Planner) enqueue(ctx context.Context, purpose govwifi.Purpose, planned int, toJob func(Planned) Job) error {
	after, enqueued := "", 0
	for {
		ids, err := p.Pending.PendingMessages(ctx, purpose, after)
		if err != nil {
			return fmt.Errorf("list planned messages: %w", err)
		}
		if len(ids) == 0 {
			break
		}
		for _, id := range ids {
			if err := p.Jobs.Enqueue(ctx, toJob(Planned{id})); err != nil {
				return fmt.Errorf("enqueue a planned message: %w", err)
			}
		}
		after, enqueued = ids[len(ids)-1], enqueued+len(ids)
	}
	p.Log.InfoContext(ctx, "messages were planned", "purpose", string(purpose), "planned", planned, "enqueued", enqueued)
	return nil
}
