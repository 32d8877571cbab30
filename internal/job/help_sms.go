package job

import (
	"context"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// HelpSMS answers a text that asks for help, or for nothing that we understand.
type HelpSMS struct {
	Text
	// Topic is the device, "menu" or "recap", as govwifi.TopicOf decided when
	// the text came in: the payload says what will be done.
	Topic govwifi.Topic `json:"topic"`
}

// Spec keeps trying for a day, as a person is waiting.
func (HelpSMS) Spec() Spec {
	return Spec{Name: "help-sms", Queue: Interactive, Timeout: messageTimeout, Patience: wholeDay}
}

// HelpSMSHandler sends the topic's guide.
type HelpSMSHandler struct{ TextAnswerer }

// Handle follows docs/rules.md, Which reply a text gets, rules 3 to 6.
func (h HelpSMSHandler) Handle(ctx context.Context, j HelpSMS) error {
	return h.answer(ctx, j.Text, j.Topic.Template())
}

// ForText makes the job that answers a text.
func ForText(t Text) Job {
	topic := govwifi.TopicOf(t.Text)
	if topic == govwifi.TopicCredentials {
		return SignupSMS{t}
	}
	return HelpSMS{Text: t, Topic: topic}
}
