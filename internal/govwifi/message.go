package govwifi

import (
	"strconv"
	"strings"
)

// Message is one message to one person, ready for GOV.UK Notify. Each function
// below makes one kind of message, with exactly the fields its template needs.
type Message struct {
	// Template decides the wording and, by its name, email or text.
	Template Template
	// To is the recipient.
	To Contact
	// Personalisation fills the template's placeholders. It may hold credentials
	// and is never logged.
	Personalisation map[string]string
	// ReplyTo is whose address an answer to this email goes to.
	ReplyTo ReplyTo
	// Reference is the key of the job that sends the message. Notify is asked
	// for it before anything is sent a second time (docs/decisions/0004).
	Reference string
}

// ReplyTo names one of the service's reply-to addresses; their ids in Notify are
// configuration.
type ReplyTo int

// The reply-to addresses.
const (
	// NoReplyTo leaves the choice to Notify; texts have no other.
	NoReplyTo ReplyTo = iota
	// DoNotReply is the address whose mail nobody reads.
	DoNotReply
	// SupportReply is the support team's address.
	SupportReply
)

// String shows the template and the masked recipient, no credentials.
func (m Message) String() string { return string(m.Template) + " to " + m.To.String() }

// GoString shows no personalisation.
func (m Message) GoString() string { return m.String() }

// CredentialsEmail answers a self-signup by email.
func CredentialsEmail(to Contact, u User) Message {
	return Message{Template: SelfSignupCredentialsEmail, To: to, ReplyTo: DoNotReply,
		Personalisation: map[string]string{"username": u.Username, "password": u.Password}}
}

// RejectedEmail tells someone whose address is not on the allow-list.
func RejectedEmail(to Contact) Message {
	return Message{Template: RejectedEmailAddressEmail, To: to, ReplyTo: DoNotReply}
}

// GuestExpiredEmail tells a former guest that a sponsor must invite them again.
func GuestExpiredEmail(to Contact) Message {
	return Message{Template: SponsorCredentialsExpired, To: to, ReplyTo: DoNotReply}
}

// Text answers a text message with the given template. Every text template may
// show the credentials, whatever was asked.
func Text(t Template, to Contact, u User) Message {
	return Message{Template: t, To: to,
		Personalisation: map[string]string{"login": u.Username, "pass": u.Password}}
}

// GuestMessage gives a sponsor's guest their credentials, by email or text as
// the contact asks. The sponsor is named as their From header was written.
func GuestMessage(to Contact, u User, sponsorHeader string) Message {
	if to.IsPhone() {
		return Text(CredentialsSMS, to, u)
	}
	return Message{Template: SponsorCredentialsEmail, To: to, ReplyTo: DoNotReply,
		Personalisation: map[string]string{"username": u.Username, "password": u.Password, "sponsor": sponsorHeader}}
}

// SponsorReceipt tells a sponsor what became of the guests: which were refused,
// if any was, else whom the credentials went to. Both lists keep the order of the
// sponsor's mail.
func SponsorReceipt(to Contact, sent, refused []Contact) Message {
	m := Message{To: to, ReplyTo: DoNotReply}
	switch {
	case len(refused) > 0:
		m.Template = SponsorConfirmationFailed
		m.Personalisation = map[string]string{"failedSponsees": "* " + joinContacts(refused, "\n* ")}
	case len(sent) == 1:
		m.Template = SponsorConfirmationSingular
		m.Personalisation = map[string]string{"contact": string(sent[0])}
	default:
		m.Template = SponsorConfirmationPlural
		m.Personalisation = map[string]string{
			"number_of_accounts": strconv.Itoa(len(sent)),
			"contacts":           joinContacts(sent, "\r\n"),
		}
	}
	return m
}

func joinContacts(contacts []Contact, separator string) string {
	texts := make([]string, len(contacts))
	for i, c := range contacts {
		texts[i] = string(c)
	}
	return strings.Join(texts, separator)
}
