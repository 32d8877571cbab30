package job

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// SponsorInvite gives one guest of a batch their credentials.
type SponsorInvite struct {
	BatchID string `json:"batch_id"`
	// Sponsor is the From header as written.
	Sponsor string `json:"sponsor"`
	// Contact is the guest.
	Contact govwifi.Contact `json:"contact"`
	// Guest is the index in the batch: the key must not hold the contact, and a
	// hash of a phone number is found by trying them all.
	Guest int `json:"guest"`
	// Recovered says that an earlier job of this guest may have sent the message, so
	// Notify is asked before anything is sent.
	Recovered bool `json:"recovered,omitempty"`
}

// Spec keeps trying for a day, behind the people who wait for an answer.
func (SponsorInvite) Spec() Spec {
	return Spec{Name: "sponsor-invite", Queue: Batch, Timeout: messageTimeout, Patience: wholeDay}
}

// Key is the guest's place in the batch, whose list never changes once stored.
func (j SponsorInvite) Key() string { return fmt.Sprintf("%s-guest-%d", j.BatchID, j.Guest) }

// Label names the guest.
func (j SponsorInvite) Label() string { return "to: " + govwifi.Mask(string(j.Contact)) }

// WasRecovered is the payload's own word.
func (j SponsorInvite) WasRecovered() bool { return j.Recovered }

// InviteGuest makes the job for the guest with the given index.
func InviteGuest(b govwifi.Batch, guest int, recovered bool) SponsorInvite {
	return SponsorInvite{BatchID: b.ID, Sponsor: b.Sponsor, Contact: b.Guests[guest], Guest: guest, Recovered: recovered}
}

// GuestTally counts the guests of a batch down.
type GuestTally interface {
	// Settle notes what became of a guest, the first time it is told, and says
	// how many are not settled yet. govwifi.ErrNotFound if the batch is not open,
	// or has expired.
	Settle(ctx context.Context, batchID string, guest int, refused bool) (left int, err error)
}

// SponsorInviteHandler sends the credentials and settles the guest.
type SponsorInviteHandler struct {
	Users interface {
		FindOrCreate(ctx context.Context, c, sponsor govwifi.Contact) (govwifi.User, error)
	}
	Messages Messages
	Tally    GuestTally
	Jobs     Enqueuer
	Log      *slog.Logger
}

// Handle follows docs/rules.md, Sponsor sign-up. A guest who is refused for good is
// no failure of the job: the receipt tells the sponsor. A guest whose last attempt
// fails is refused too, and the job is archived for the operator.
func (h SponsorInviteHandler) Handle(ctx context.Context, j SponsorInvite) error {
	err := h.invite(ctx, j)
	final := err == nil || IsPermanent(err)
	if !final && !DeliveryFrom(ctx).Last {
		return err
	}
	if settleErr := h.settle(ctx, j, err != nil); settleErr != nil {
		return settleErr
	}
	if final && err != nil {
		h.Log.WarnContext(ctx, "a guest is refused", "guest", j.Contact, "key", j.Key(), "reason", err.Error())
		return nil
	}
	return err
}

func (h SponsorInviteHandler) invite(ctx context.Context, j SponsorInvite) error {
	sponsor, err := govwifi.ParseEmail(j.Sponsor)
	if err != nil {
		return Permanent(fmt.Errorf("read the sponsor's From header: %w", err))
	}
	if sent, err := h.Messages.Sent(ctx, j.Key()); err != nil || sent {
		return err
	}
	user, err := h.Users.FindOrCreate(ctx, j.Contact, sponsor)
	if err != nil {
		return unstorable(fmt.Errorf("find or create the user of %s: %w", j.Contact, err))
	}
	message := govwifi.GuestMessage(j.Contact, user, j.Sponsor)
	message.Reference = j.Key()
	return h.Messages.Send(ctx, message)
}

// settle enqueues the receipt when nobody is left. A worker killed in between is
// healed by this job's next delivery, which finds nobody left again. A guest whose batch is
// not open comes back too: where Redis was emptied while the batch was being enqueued, its
// later guests are there when the mail is recovered, and are not enqueued again.
func (h SponsorInviteHandler) settle(ctx context.Context, j SponsorInvite, refused bool) error {
	left, err := h.Tally.Settle(ctx, j.BatchID, j.Guest, refused)
	if err != nil {
		return fmt.Errorf("settle %s: %w", j.Contact, err)
	}
	if left > 0 {
		return nil
	}
	if err := h.Jobs.Enqueue(ctx, SponsorReceipt{BatchID: j.BatchID, Recovered: asksFirst(ctx, j.Recovered)}); err != nil {
		return fmt.Errorf("enqueue the sponsor's receipt: %w", err)
	}
	return nil
}
