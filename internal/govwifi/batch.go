package govwifi

import "errors"

// MaxGuests is how many guests one mail may invite; more is taken for a mistake
// (docs/rules.md, Sponsor sign-up).
const MaxGuests = 5000

// ErrTooManyGuests says that a mail names more than MaxGuests.
var ErrTooManyGuests = errors.New("the mail names more than 5000 guests; ask the sponsor to send several mails")

// Batch is one sponsor's mail being worked on.
type Batch struct {
	// ID is SES's id of the mail.
	ID string `json:"id"`
	// Sponsor is the From header as written.
	Sponsor string `json:"sponsor"`
	// Guests are in the order of the mail; a guest is known by its index.
	Guests []Contact `json:"guests"`
}

// BatchOutcome is a batch whose guests are all settled.
type BatchOutcome struct {
	Sponsor string
	// Sent and Refused keep the order of the mail.
	Sent, Refused []Contact
}
