package notifytest

import "github.com/govwifi/user-signup/internal/govwifi"

// DefaultTemplates has all templates of the service with wording as GovWifi's is:
// the parts that GovWifi's smoke tests look for are there word by word
// (docs/facts.md E1), and so are production's placeholders, ((LOGIN)) and ((PASS)).
func DefaultTemplates() []Template {
	templates := make([]Template, 0, len(govwifi.Templates()))
	for _, name := range govwifi.Templates() {
		t := Template{Name: string(name), Type: typeSMS, Body: wording[name].body}
		if name.IsEmail() {
			t.Type, t.Subject = typeEmail, wording[name].subject
		}
		templates = append(templates, t)
	}
	return templates
}

// credentials closes every guide sent by text: whoever asks how to connect has
// lost them, or never had any.
const credentials = "\n\nUsername: ((LOGIN))\nPassword: ((PASS))"

var wording = map[govwifi.Template]struct{ subject, body string }{
	govwifi.SelfSignupCredentialsEmail: {"Welcome to GovWifi", `# Your GovWifi account

Your username:
((username))

Your password:
((password))

Your username and password work wherever you see the GovWifi network, and they do not change. You do not need to sign up again in another building.

# How to connect

1. Choose GovWifi from the list of wireless networks.
2. Enter your username and password.
3. If you are asked to trust a certificate, check that it is for wifi.service.gov.uk.

By connecting you accept the terms and conditions: https://www.wifi.service.gov.uk/terms

^ Do not share your username and password. A colleague can get their own by emailing signup@wifi.service.gov.uk from their work address.`},

	govwifi.RejectedEmailAddressEmail: {"Your GovWifi sign up was not successful", `We could not create a GovWifi account for you because your email address does not belong to an organisation that offers GovWifi.

If you are visiting a public sector building, you can:

* text Go to 07537 417 417
* ask a member of staff there to sponsor you

If you work for the public sector, ask your IT team to add your organisation's domain.`},

	govwifi.SponsorCredentialsEmail: {"Welcome to GovWifi", `((sponsor)) has set up a GovWifi account for you.

Your username:
((username))

Your password:
((password))

Choose GovWifi from the list of wireless networks and enter them there. They work in every building that has GovWifi.

By connecting you accept the terms and conditions: https://www.wifi.service.gov.uk/terms`},

	govwifi.SponsorConfirmationPlural: {"((number_of_accounts)) GovWifi accounts have been created for your guests", `We have sent a username and password to these ((number_of_accounts)) guests:

((contacts))

Ask them to look in their spam folder if nothing arrives within 10 minutes.`},

	govwifi.SponsorConfirmationSingular: {"A GovWifi account has been created for your guest", `We have sent a username and password to your guest:

((contact))

Ask them to look in their spam folder if nothing arrives within 10 minutes.`},

	govwifi.SponsorConfirmationFailed: {"Some of your guests could not be given a GovWifi account", `We could not send a username and password to:

((failedSponsees))

Check that each email address and mobile number is right, one in each line, and send the request again. Your other guests have been sent theirs.`},

	govwifi.SponsorCredentialsExpired: {"Your guest access to GovWifi has expired", `Your guest access to GovWifi has expired because you have not used it for more than 90 days.

Ask a member of staff at the place you are visiting to email sponsor@wifi.service.gov.uk with your email address or mobile number.`},

	govwifi.ActiveUsersSurveyEmail: {"How was signing up to GovWifi?", `You signed up to GovWifi yesterday. Would you take 2 minutes to tell us how it went?

https://surveys.wifi.service.gov.uk/signup

Your answers are anonymous. We will not ask you again.`},

	govwifi.FollowupEmail: {"Do you need help connecting to GovWifi?", `You asked for a GovWifi account but have not connected yet.

Read how to connect your device: https://www.wifi.service.gov.uk/connect-to-govwifi

Answer this email to ask our support team for help. If you no longer need GovWifi, you do not need to do anything.`},

	govwifi.CredentialsExpiringEmail: {"Your GovWifi account is about to expire", `You have not used GovWifi for ((inactivity_period)).

We delete accounts after 12 months without use. To keep yours (username ((username))), connect to GovWifi within the next month.`},

	govwifi.CredentialsSMS: {body: `Your GovWifi details:

Username: ((LOGIN))
Password: ((PASS))

Choose GovWifi in your wifi settings and enter them. For help with your device reply HELP. Terms: wifi.service.gov.uk/terms`},

	govwifi.RecapSMS: {body: `We did not understand your text. Reply GO for your GovWifi details or HELP for help with connecting.` + credentials},

	govwifi.HelpMenuSMS: {body: `Which device do you want to connect to GovWifi? Reply with a number:
1 Android
2 iPhone or iPad
3 Mac
4 Windows
5 BlackBerry
6 Chromebook
0 Other`},

	govwifi.DeviceHelpOtherSMS: {body: `Choose GovWifi from the list of networks. If asked, take PEAP, MSCHAPv2 and no anonymous identity. Guides: wifi.service.gov.uk/connect` + credentials},

	govwifi.DeviceHelpAndroidSMS: {body: `On Android: Settings, Wifi, GovWifi. EAP method PEAP, phase 2 MSCHAPV2, CA certificate "Use system certificates", domain wifi.service.gov.uk.` + credentials},

	govwifi.DeviceHelpIPhoneSMS: {body: `On iPhone and iPad: Settings, Wi-Fi, GovWifi. Enter your details, then tap Trust for the certificate of wifi.service.gov.uk.` + credentials},

	govwifi.DeviceHelpMacSMS: {body: `On a Mac: click the wifi symbol, then GovWifi. Mode Automatic, enter your details, then Continue at the certificate of wifi.service.gov.uk.` + credentials},

	govwifi.DeviceHelpWindowsSMS: {body: `On Windows: click the network symbol, GovWifi, Connect. Do not tick "use my Windows user account", enter your details, then Connect.` + credentials},

	govwifi.DeviceHelpBlackBerrySMS: {body: `On BlackBerry: Settings, Networks, Wi-Fi, GovWifi. Security sub type PEAP, inner link security MS-CHAP v2, certificate GlobalSign.` + credentials},

	govwifi.DeviceHelpChromebookSMS: {body: `On a Chromebook: click the time, the network, GovWifi. EAP method PEAP, phase 2 MSCHAPv2, server CA certificate Default.` + credentials},

	govwifi.ActiveUsersSurveySMS: {body: `You signed up to GovWifi yesterday. Please take 2 minutes to tell us how it went: surveys.wifi.service.gov.uk/signup`},

	govwifi.FollowupSMS: {body: `You asked for a GovWifi account but have not connected yet. Reply HELP for help with your device.`},
}
