package govwifi_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// docs/rules.md: who answers which message, and what each template is given.
func TestPeriodicMessages(t *testing.T) {
	t.Parallel()
	user := govwifi.User{Username: "bcdfgh", Password: "OneTwoThree"}
	for name, c := range map[string]struct{ got, want govwifi.Message }{
		"warning": {govwifi.ExpiryWarningMessage("jo@dept.gov.uk", user), govwifi.Message{
			Template: govwifi.CredentialsExpiringEmail, To: "jo@dept.gov.uk", ReplyTo: govwifi.DoNotReply,
			Personalisation: map[string]string{"username": "bcdfgh", "inactivity_period": "11 months"}}},
		"survey by email": {govwifi.SurveyMessage("jo@dept.gov.uk"), govwifi.Message{Template: govwifi.ActiveUsersSurveyEmail, To: "jo@dept.gov.uk"}},
		"survey by text":  {govwifi.SurveyMessage("+447700900123"), govwifi.Message{Template: govwifi.ActiveUsersSurveySMS, To: "+447700900123"}},
		"follow-up": {govwifi.FollowupEmailMessage("jo@dept.gov.uk"), govwifi.Message{
			Template: govwifi.FollowupEmail, To: "jo@dept.gov.uk", ReplyTo: govwifi.SupportReply}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
