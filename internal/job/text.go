package job

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// Text is an incoming text message, the common part of signup-sms and help-sms.
type Text struct {
	// MessageID is Notify's id of the text, the same on every retry; ingest
	// makes one up where there is none.
	MessageID string `json:"message_id"`
	// Number is the sender's, in E.164.
	Number string `json:"number"`
	// Destination is the service's own number as Notify has it.
	Destination string    `json:"destination"`
	Text        string    `json:"text"`
	ReceivedAt  time.Time `json:"received_at"`
	// Recovered is as in SignupEmail.
	Recovered bool `json:"recovered,omitempty"`
}

// Key is Notify's id of the text.
func (t Text) Key() string { return t.MessageID }

// Label names the sender.
func (t Text) Label() string { return "from: " + govwifi.Mask(t.Number) }

// WasRecovered is the payload's own word.
func (t Text) WasRecovered() bool { return t.Recovered }

// AnswerTo makes the job that answers a text, whose Number is the sender as Notify has
// it; or it says why the text needs no answer. Ingest and recover-texts both ask here.
func AnswerTo(t Text) (answer Job, nothing string) {
	number, err := govwifi.ParsePhone(t.Number)
	if err != nil {
		return nil, "the sender of a text is no phone number"
	}
	if number.IsWrittenAs(t.Destination) {
		return nil, "a text from our own number"
	}
	t.Number = string(number)
	return ForText(t), ""
}

// TextAnswerer is what the handlers of both kinds of text need.
type TextAnswerer struct {
	// Guard keeps us from talking to another machine for ever.
	Guard interface {
		// Repeats says whether this text is one too many from its sender. Asked
		// again about the same text it says the same.
		Repeats(ctx context.Context, t govwifi.IncomingText) (bool, error)
	}
	Users interface {
		FindOrCreate(ctx context.Context, c, sponsor govwifi.Contact) (govwifi.User, error)
	}
	Messages Messages
	Log      *slog.Logger
}

// answer finds or creates the sender's user and sends the template, whatever was
// asked: everyone who texts has credentials from then on.
func (a TextAnswerer) answer(ctx context.Context, t Text, template govwifi.Template) error {
	number, err := govwifi.ParsePhone(t.Number)
	if err != nil {
		return Permanent(fmt.Errorf("read the sender's number: %w", err))
	}
	if number.IsWrittenAs(t.Destination) {
		a.Log.WarnContext(ctx, "a text from our own number is not answered", "key", t.Key())
		return nil
	}
	settled, err := a.settled(ctx, t, number)
	if err != nil || settled {
		return err
	}
	user, err := a.Users.FindOrCreate(ctx, number, number)
	if err != nil {
		return unstorable(fmt.Errorf("find or create the user of %s: %w", number, err))
	}
	message := govwifi.Text(template, number, user)
	message.Reference = t.Key()
	return a.Messages.Send(ctx, message)
}

// settled says that the text needs no answer any more: it had one, or its sender is a
// machine. A recovered text has been judged by recover-texts, which sees all texts of the
// time around it: the guard has forgotten them.
func (a TextAnswerer) settled(ctx context.Context, t Text, number govwifi.Contact) (bool, error) {
	if sent, err := a.Messages.Sent(ctx, t.Key()); err != nil || sent || t.Recovered {
		return sent, err
	}
	repeats, err := a.Guard.Repeats(ctx, govwifi.IncomingText{ID: t.Key(), From: number, Text: t.Text, At: t.ReceivedAt})
	if err != nil {
		return false, fmt.Errorf("count the texts of %s: %w", number, err)
	}
	if repeats {
		a.Log.WarnContext(ctx, "a sender who repeats themselves is not answered", "number", number, "key", t.Key())
	}
	return repeats, nil
}
