package govwifi

import "strings"

// Template is the name of a GOV.UK Notify template. Ids are looked up by name:
// the same names exist in every environment, ids do not.
type Template string

// The templates of the service. They are named as they are in Notify, so that
// operators find one by searching for it.
const (
	SelfSignupCredentialsEmail  Template = "self_signup_credentials_email"
	RejectedEmailAddressEmail   Template = "rejected_email_address_email"
	SponsorCredentialsEmail     Template = "sponsor_credentials_email"
	SponsorConfirmationPlural   Template = "sponsor_confirmation_plural_email"
	SponsorConfirmationSingular Template = "sponsor_confirmation_singular_email"
	SponsorConfirmationFailed   Template = "sponsor_confirmation_failed_email"
	SponsorCredentialsExpired   Template = "sponsor_credentials_expired_notification_email"
	ActiveUsersSurveyEmail      Template = "active_users_signup_survey_email"
	FollowupEmail               Template = "followup_email"
	CredentialsExpiringEmail    Template = "credentials_expiring_notification_email"
	CredentialsSMS              Template = "credentials_sms"
	RecapSMS                    Template = "recap_sms"
	HelpMenuSMS                 Template = "help_menu_sms"
	DeviceHelpOtherSMS          Template = "device_help_other_sms"
	DeviceHelpAndroidSMS        Template = "device_help_android_sms"
	DeviceHelpIPhoneSMS         Template = "device_help_iphone_sms"
	DeviceHelpMacSMS            Template = "device_help_mac_sms"
	DeviceHelpWindowsSMS        Template = "device_help_windows_sms"
	DeviceHelpBlackBerrySMS     Template = "device_help_blackberry_sms"
	DeviceHelpChromebookSMS     Template = "device_help_chromebook_sms"
	ActiveUsersSurveySMS        Template = "active_users_signup_survey_sms"
	FollowupSMS                 Template = "followup_sms"
)

// Templates lists every template that the service may use, emails first.
func Templates() []Template {
	return []Template{
		SelfSignupCredentialsEmail, RejectedEmailAddressEmail, SponsorCredentialsEmail,
		SponsorConfirmationPlural, SponsorConfirmationSingular, SponsorConfirmationFailed,
		SponsorCredentialsExpired, ActiveUsersSurveyEmail, FollowupEmail, CredentialsExpiringEmail,
		CredentialsSMS, RecapSMS, HelpMenuSMS, DeviceHelpOtherSMS, DeviceHelpAndroidSMS,
		DeviceHelpIPhoneSMS, DeviceHelpMacSMS, DeviceHelpWindowsSMS, DeviceHelpBlackBerrySMS,
		DeviceHelpChromebookSMS, ActiveUsersSurveySMS, FollowupSMS,
	}
}

// IsEmail says whether the template is sent by email; otherwise it is a text.
func (t Template) IsEmail() bool { return strings.HasSuffix(string(t), "_email") }
