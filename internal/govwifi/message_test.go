package govwifi

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each message has exactly the fields of its template: Notify refuses one that misses
// a field (docs/rules.md).
func TestMessages(t *testing.T) {
	t.Parallel()
	const mail, phone, header = Contact("al@x.uk"), Contact("+447700900123"), `"Smith, Jo" <jo@dept.gov.uk>`
	u := User{Username: "bcdfgh", Password: "OneTwoThree", Contact: mail}
	for name, c := range map[string]struct{ got, want Message }{
		"credentials": {CredentialsEmail(mail, u), Message{Template: "self_signup_credentials_email", To: mail, ReplyTo: DoNotReply,
			Personalisation: map[string]string{"username": "bcdfgh", "password": "OneTwoThree"}}},
		"rejected": {RejectedEmail(mail), Message{Template: "rejected_email_address_email", To: mail, ReplyTo: DoNotReply}},
		"expired":  {GuestExpiredEmail(mail), Message{Template: "sponsor_credentials_expired_notification_email", To: mail, ReplyTo: DoNotReply}},
		"text": {Text(DeviceHelpMacSMS, phone, u), Message{Template: "device_help_mac_sms", To: phone,
			Personalisation: map[string]string{"login": "bcdfgh", "pass": "OneTwoThree"}}},
		"guest by mail": {GuestMessage(mail, u, header), Message{Template: "sponsor_credentials_email", To: mail, ReplyTo: DoNotReply,
			Personalisation: map[string]string{"username": "bcdfgh", "password": "OneTwoThree", "sponsor": header}}},
		"guest by text": {GuestMessage(phone, u, header), Message{Template: "credentials_sms", To: phone,
			Personalisation: map[string]string{"login": "bcdfgh", "pass": "OneTwoThree"}}},
		"one guest": {SponsorReceipt(mail, []Contact{phone}, nil), Message{Template: "sponsor_confirmation_singular_email", To: mail, ReplyTo: DoNotReply,
			Personalisation: map[string]string{"contact": "+447700900123"}}},
		"two guests": {SponsorReceipt(mail, []Contact{phone, "b@x.uk"}, nil), Message{Template: "sponsor_confirmation_plural_email", To: mail, ReplyTo: DoNotReply,
			Personalisation: map[string]string{"number_of_accounts": "2", "contacts": "+447700900123\r\nb@x.uk"}}},
		"a refused guest": {SponsorReceipt(mail, []Contact{phone}, []Contact{"b@x.uk", "a@x.uk"}), Message{Template: "sponsor_confirmation_failed_email", To: mail, ReplyTo: DoNotReply,
			Personalisation: map[string]string{"failedSponsees": "* b@x.uk\n* a@x.uk"}}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// The list of docs/rules.md, Templates.
func TestTemplates(t *testing.T) {
	t.Parallel()
	const listed = `self_signup_credentials_email rejected_email_address_email sponsor_credentials_email sponsor_confirmation_plural_email
		sponsor_confirmation_singular_email sponsor_confirmation_failed_email sponsor_credentials_expired_notification_email
		active_users_signup_survey_email followup_email credentials_expiring_notification_email
		credentials_sms recap_sms help_menu_sms device_help_other_sms device_help_android_sms device_help_iphone_sms device_help_mac_sms
		device_help_windows_sms device_help_blackberry_sms device_help_chromebook_sms active_users_signup_survey_sms followup_sms`
	var want []Template
	for _, name := range strings.Fields(listed) {
		want = append(want, Template(name))
	}
	if diff := cmp.Diff(want, Templates()); diff != "" {
		t.Error(diff)
	}
	for i, template := range Templates() {
		if template.IsEmail() != (i < 10) {
			t.Errorf("%s: email %v", template, template.IsEmail())
		}
	}
}
