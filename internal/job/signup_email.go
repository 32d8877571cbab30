package job

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// SignupEmail answers one email sent to the sign-up address.
type SignupEmail struct {
	// MessageID is SES's id of the mail.
	MessageID string `json:"message_id"`
	// From is the From header as written.
	From string `json:"from"`
	// MailFrom is the envelope sender.
	MailFrom   string           `json:"mail_from"`
	Verdicts   govwifi.Verdicts `json:"verdicts"`
	ReceivedAt time.Time        `json:"received_at"`
	// Recovered says that the webhook never reached us or its job was lost, so
	// Notify is asked before anything is sent.
	Recovered bool `json:"recovered,omitempty"`
}

// Spec keeps trying for a day: a person is waiting, and Notify may be down for hours.
func (SignupEmail) Spec() Spec {
	return Spec{Name: "signup-email", Queue: Interactive, Timeout: messageTimeout, Patience: wholeDay}
}

// Key is SES's id of the mail, which SNS may deliver more than once.
func (j SignupEmail) Key() string { return j.MessageID }

// Label names the sender by the masked address alone: a display name is a person's.
func (j SignupEmail) Label() string {
	from, err := govwifi.ParseEmail(j.From)
	if err != nil {
		return "from: nobody"
	}
	return "from: " + from.String()
}

// WasRecovered is the payload's own word.
func (j SignupEmail) WasRecovered() bool { return j.Recovered }

// AnswerToMail makes the job that answers a mail, by whether it went to the sponsor
// address. Ingest and recover-mail both ask here.
func AnswerToMail(m SignupEmail, sponsor bool, bucket, object string) Job {
	if sponsor {
		return SponsorBatch{SignupEmail: m, Bucket: bucket, Object: object}
	}
	return m
}

// SignupEmailHandler gives the sender credentials, or says why not.
type SignupEmailHandler struct {
	AllowList interface {
		Allows(ctx context.Context, c govwifi.Contact) (bool, error)
	}
	Users interface {
		Find(ctx context.Context, c govwifi.Contact) (govwifi.User, error)
		FindOrCreate(ctx context.Context, c, sponsor govwifi.Contact) (govwifi.User, error)
	}
	Messages Messages
	Judge    Judge
	Now      func() time.Time
}

// Handle follows docs/rules.md, Email sign-up.
func (h SignupEmailHandler) Handle(ctx context.Context, j SignupEmail) error {
	from, err := govwifi.ParseEmail(j.From)
	if err != nil {
		return Permanent(fmt.Errorf("read the From header: %w", err))
	}
	if h.Judge.doubts(ctx, j, j.Verdicts.RefuseSignup()) {
		return nil
	}
	if sent, err := h.Messages.Sent(ctx, j.Key()); err != nil || sent {
		return err
	}
	message, err := h.answer(ctx, from)
	if err != nil {
		return err
	}
	message.Reference = j.Key()
	return h.Messages.Send(ctx, message)
}

func (h SignupEmailHandler) answer(ctx context.Context, from govwifi.Contact) (govwifi.Message, error) {
	allowed, err := h.AllowList.Allows(ctx, from)
	if err != nil {
		return govwifi.Message{}, fmt.Errorf("look up %s in the allow-list: %w", from, err)
	}
	if allowed {
		user, err := h.Users.FindOrCreate(ctx, from, from)
		if err != nil {
			return govwifi.Message{}, unstorable(fmt.Errorf("find or create the user of %s: %w", from, err))
		}
		return govwifi.CredentialsEmail(from, user), nil
	}
	user, err := h.Users.Find(ctx, from)
	switch {
	case errors.Is(err, govwifi.ErrNotFound):
		return govwifi.RejectedEmail(from), nil
	case err != nil:
		return govwifi.Message{}, fmt.Errorf("find the user of %s: %w", from, err)
	case h.Now().Sub(user.LastActivity()) > govwifi.GuestLifetime:
		return govwifi.GuestExpiredEmail(from), nil
	}
	return govwifi.CredentialsEmail(from, user), nil
}

// unstorable makes an error permanent if no retry can store the contact.
func unstorable(err error) error {
	if errors.Is(err, govwifi.ErrContactTooLong) || errors.Is(err, govwifi.ErrNotStorable) {
		return Permanent(err)
	}
	return err
}
