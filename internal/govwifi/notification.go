package govwifi

import (
	"regexp"
	"time"
)

// Notification is a message that GOV.UK Notify has, as the notifications table keeps
// it (docs/rules.md, notifications table).
type Notification struct {
	ID           string
	Reference    string
	EmailAddress string
	PhoneNumber  string
	// Type is email, sms or letter.
	Type            string
	Status          string
	TemplateVersion string
	TemplateID      string
	TemplateURI     string
	// Body and Subject may hold a password until MaskPasswords has been at them.
	Body, Subject string
	CreatedAt     time.Time
	// SentAt and CompletedAt are zero until they happen.
	SentAt, CompletedAt time.Time
}

// FinalStatuses are those that Notify does not change any more (docs/facts.md, A5).
func FinalStatuses() []string {
	return []string{"cancelled", "delivered", "failed", "permanent-failure", "returned-letter", "sent",
		"technical-failure", "temporary-failure", "validation-failed", "virus-scan-failed"}
}

// passwordShape is what every password looks like: three capitalised words in one.
// Four and more are masked too, as are the few such words in prose: hiding too much is
// the safe mistake.
var passwordShape = regexp.MustCompile(`(?:[A-Z][a-z]+){3,}`)

// passwordLabel finds what follows the word and a colon, be it in the next lines,
// whatever it looks like: passwords of earlier days may have had another shape.
var passwordLabel = regexp.MustCompile(`(?i)(\bpass(?:word|phrase)?\b[\s*_]*:[\s*_>^]*)([^\s*_]+)`)

// maskedPassword is no asterisks, which are Notify's and Markdown's own.
const maskedPassword = "[hidden]"

// MaskPasswords hides everything that looks like a password in the text of a message.
// It asks no template's name: an operator may reword, rename or add templates. Masking
// twice changes nothing.
func MaskPasswords(text string) string {
	text = passwordLabel.ReplaceAllString(text, "${1}"+maskedPassword)
	return passwordShape.ReplaceAllString(text, maskedPassword)
}
