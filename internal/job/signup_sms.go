package job

import (
	"context"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// SignupSMS answers a text that asks for credentials.
type SignupSMS struct{ Text }

// Spec keeps trying for a day, as a person is waiting.
func (SignupSMS) Spec() Spec {
	return Spec{Name: "signup-sms", Queue: Interactive, Timeout: messageTimeout, Patience: wholeDay}
}

// SignupSMSHandler sends the credentials.
type SignupSMSHandler struct{ TextAnswerer }

// Handle follows docs/rules.md, Which reply a text gets, rules 1 and 2.
func (h SignupSMSHandler) Handle(ctx context.Context, j SignupSMS) error {
	return h.answer(ctx, j.Text, govwifi.CredentialsSMS)
}
