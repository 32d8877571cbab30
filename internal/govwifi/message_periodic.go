package govwifi

import "time"

// Purpose is why a planned message is sent. It begins the message's reference and is
// kept in the database: never renamed.
type Purpose string

// The purposes.
const (
	ExpiryWarning    Purpose = "expiry-warning"
	SurveyInvitation Purpose = "survey-invitation"
	Followup         Purpose = "followup-message"
)

// InactivityBeforeWarning is after how many calendar months without a login a person
// is warned (docs/rules.md, Periodic jobs).
const InactivityBeforeWarning = 11

// Addressee is the person whom a planned message is for, as their row is now.
type Addressee struct {
	User User
	// Occasion is what the message is about: the last activity that a warning is
	// about, the sign-up that a survey or follow-up is about.
	Occasion time.Time
	// NotificationsOptOut and SurveyOptOut are the person's own wishes.
	NotificationsOptOut, SurveyOptOut bool
}

// ExpiryWarningMessage tells a person that their credentials will be deleted.
func ExpiryWarningMessage(to Contact, u User) Message {
	return Message{Template: CredentialsExpiringEmail, To: to, ReplyTo: DoNotReply,
		Personalisation: map[string]string{"username": u.Username, "inactivity_period": "11 months"}}
}

// SurveyMessage asks a person how signing up went, by email or text as the contact
// asks.
func SurveyMessage(to Contact) Message {
	if to.IsPhone() {
		return Message{Template: ActiveUsersSurveySMS, To: to}
	}
	return Message{Template: ActiveUsersSurveyEmail, To: to}
}

// FollowupEmailMessage offers help to a person who has never logged in. They may
// answer it.
func FollowupEmailMessage(to Contact) Message {
	return Message{Template: FollowupEmail, To: to, ReplyTo: SupportReply}
}
