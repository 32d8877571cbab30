package notifytest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/govwifi/user-signup/internal/govwifi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// token signs any claims; an empty secret means the good one.
func token(secret, header, claims string) string {
	if secret == "" {
		secret = "3d844edf-8d35-48ac-975b-e847b4f122b0"
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

const (
	hs256   = `{"typ":"JWT","alg":"HS256"}`
	service = "26785a09-ab16-4eb0-8407-a37497a57506"
)

func goodToken(at time.Time) string {
	return token("", hs256, fmt.Sprintf(`{"iss":"%s","iat":%d}`, service, at.Unix()))
}

// reply is an answer with the parts that tests look at.
type reply struct {
	status  int
	Errors  []refusalEntry
	ID      string
	Content map[string]any
	Result  string
}

func do(s *Server, method, path, authorization, body string) reply {
	r := httptest.NewRequest(method, path, bytes.NewBufferString(body))
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	got := reply{status: w.Code}
	_ = json.Unmarshal(w.Body.Bytes(), &got)
	return got
}

// text describes a reply in one line.
func (r reply) text() string {
	text := fmt.Sprint(r.status)
	for _, e := range r.Errors {
		text += " " + e.Error + ": " + e.Message
	}
	return text
}

// fixed is a server whose clock stands still at noon.
func fixed(cfg Config) *Server {
	cfg.Now = func() time.Time { return noon }
	return New(cfg)
}

// id is the id of a template.
func (s *Server) id(name string) string {
	for _, t := range s.catalogue.templates {
		if t.Name == name {
			return t.id
		}
	}
	return ""
}

// post sends a body in which {name} stands for the id of the template of that name.
func post(s *Server, kind, body string) reply {
	body = regexp.MustCompile(`\{[a-z_]+\}`).ReplaceAllStringFunc(body, func(found string) string { return s.id(found[1 : len(found)-1]) })
	return do(s, http.MethodPost, "/v2/notifications/"+kind, "Bearer "+goodToken(s.cfg.Now()), body)
}

func TestAuthorisation(t *testing.T) {
	t.Parallel()
	iat := fmt.Sprint(noon.Unix())
	claims := `{"iss":"` + service + `","iat":` + iat + `}`
	good := token("", hs256, claims)
	for name, test := range map[string]struct{ header, want string }{
		"good":            {"Bearer " + good, "200"},
		"scheme in caps":  {"BEARER " + good, "200"},
		"30 s behind":     {"Bearer " + goodToken(noon.Add(-30*time.Second)), "200"},
		"30 s ahead":      {"Bearer " + goodToken(noon.Add(30*time.Second)), "200"},
		"none":            {"", "401 AuthError: Unauthorized: authentication token must be provided"},
		"other scheme":    {"Basic " + good, "401 AuthError: Unauthorized: authentication bearer scheme must be used"},
		"31 s behind":     {"Bearer " + goodToken(noon.Add(-31*time.Second)), "403 AuthError: Error: Your system clock must be accurate to within 30 seconds"},
		"31 s ahead":      {"Bearer " + goodToken(noon.Add(31*time.Second)), "403 AuthError: Error: Your system clock must be accurate to within 30 seconds"},
		"no token":        {"Bearer x", "403 AuthError: Invalid token: make sure your API token matches the example at https://docs.notifications.service.gov.uk/rest-api.html#authorisation-header"},
		"iat with a dot":  {"Bearer " + token("", hs256, `{"iss":"`+service+`","iat":`+iat+`.5}`), "403 AuthError: Invalid token: make sure your API token matches the example at https://docs.notifications.service.gov.uk/rest-api.html#authorisation-header"},
		"no issuer":       {"Bearer " + token("", hs256, `{"iat":`+iat+`}`), "403 AuthError: Invalid token: iss field not provided"},
		"odd issuer":      {"Bearer " + token("", hs256, `{"iss":"x","iat":`+iat+`}`), "403 AuthError: Invalid token: service id is not the right data type"},
		"other issuer":    {"Bearer " + token("", hs256, `{"iss":"`+DoNotReplyID+`","iat":`+iat+`}`), "403 AuthError: Invalid token: service not found"},
		"other algorithm": {"Bearer " + token("", `{"typ":"JWT","alg":"HS512"}`, claims), "403 AuthError: Invalid token: algorithm used is not HS256"},
		"other secret":    {"Bearer " + token(service, hs256, claims), "403 AuthError: Invalid token: API key not found"},
		"unsigned":        {"Bearer " + strings.TrimRight(good, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"), "403 AuthError: Invalid token: API key not found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := do(fixed(Config{}), http.MethodGet, "/v2/templates", test.header, "").text(); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

func TestARevokedKeyIsKnownAsSuch(t *testing.T) {
	t.Parallel()
	s := fixed(Config{})
	s.RevokeKey("n-" + service + "-" + DoNotReplyID)
	if got := post(s, typeSMS, `{}`).text(); got != "403 AuthError: Invalid token: API key revoked" {
		t.Error(got)
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	const text, mail = `"phone_number":"07700900123","template_id":"{follow}"`, `"email_address":"jo@dept.gov.uk","template_id":"{news}"`
	templates := []Template{
		{Name: "follow", Type: "sms", Body: "Reply HELP"},
		{Name: "news", Type: "email", Subject: "News", Body: "None"},
		{Name: "names", Type: "email", Subject: "((Full Name))", Body: "((user_name)) ((USER-NAME)) ((other))"},
		{Name: "free", Type: "sms", Body: "((text))"},
		{Name: "gone", Type: "sms", Body: "x"},
	}
	const v = "400 ValidationError: "
	const b = "400 BadRequestError: "
	for _, test := range []struct{ kind, body, want string }{
		{"sms", `{` + text + `}`, "201"},
		{"email", `{` + mail + `,"email_reply_to_id":"` + DoNotReplyID + `","reference":"x","personalisation":{},"sanitise_content_for":null,"one_click_unsubscribe_url":"https://x"}`, "201"},
		{"sms", `{`, b + "Invalid JSON supplied in POST data"},
		{"sms", `[]`, v + "[] is not of type object"},
		{"sms", `{}`, v + "phone_number is a required property ValidationError: template_id is a required property"},
		{"sms", `{"phone_number":"07700900123","template_id":"x"}`, v + "template_id is not a valid UUID"},
		{"sms", `{` + text + `,"sms_sender_id":null}`, v + "sms_sender_id is not a valid UUID"},
		{"sms", `{` + text + `,"sms_sender_id":"` + DoNotReplyID + `"}`, b + "sms_sender_id " + DoNotReplyID + " does not exist in database for service id " + service},
		{"sms", `{` + text + `,"email_reply_to_id":"` + DoNotReplyID + `"}`, v + "Additional properties are not allowed (email_reply_to_id was unexpected)"},
		{"sms", `{` + text + `,"sanitise_content_for":[],"one_click_unsubscribe_url":"https://x"}`, v + "Additional properties are not allowed (one_click_unsubscribe_url, sanitise_content_for were unexpected)"},
		{"sms", `{` + text + `,"reference":null}`, v + "reference None is not of type string"},
		{"sms", `{` + text + `,"reference":"` + strings.Repeat("é", 1000) + `"}`, "201"},
		{"sms", `{` + text + `,"reference":"` + strings.Repeat("é", 1001) + `"}`, v + "reference " + strings.Repeat("é", 1001) + " is too long"},
		{"sms", `{` + text + `,"personalisation":"x"}`, v + "personalisation x is not of type object"},
		{"email", `{` + mail + `,"email_reply_to_id":""}`, v + "email_reply_to_id is not a valid UUID"},
		{"email", `{` + mail + `,"email_reply_to_id":"` + service + `"}`, b + "email_reply_to_id " + service + " does not exist in database for service id " + service},
		{"email", `{` + mail + `,"one_click_unsubscribe_url":"http://x"}`, v + "one_click_unsubscribe_url is not a valid https url"},
		{"email", `{"email_address":"jo","template_id":"{news}"}`, v + "email_address Not a valid email address"},
		{"email", `{"email_address":7,"template_id":"{news}"}`, v + "email_address 7 is not of type string"},
		{"sms", `{"phone_number":"077","template_id":"{follow}"}`, v + "phone_number Not enough digits"},
		{"sms", `{"phone_number":"02079460958","template_id":"{follow}"}`, "400 InvalidPhoneError: Not a UK mobile number"},
		{"sms", `{"phone_number":"+33612345678","template_id":"{follow}"}`, b + "Cannot send to international mobile numbers"},
		{"sms", `{"phone_number":"07700900123","template_id":"` + service + `"}`, b + "Template not found"},
		{"sms", `{"phone_number":"07700900123","template_id":"{gone}"}`, b + "Template has been deleted"},
		{"sms", `{"phone_number":"07700900123","template_id":"{news}"}`, b + "email template is not suitable for sms notification"},
		{"email", `{"email_address":"jo@dept.gov.uk","template_id":"{follow}"}`, b + "sms template is not suitable for email notification"},
		{"email", `{"email_address":"jo@dept.gov.uk","template_id":"{names}"}`, b + "Missing personalisation: Full Name, user_name, USER-NAME, other"},
		{"email", `{"email_address":"jo@dept.gov.uk","template_id":"{names}","personalisation":{"FULL_NAME":"a","username":"b","other":null}}`, b + "Missing personalisation: other"},
		{"email", `{"email_address":"jo@dept.gov.uk","template_id":"{names}","personalisation":{"fullname":"a","User Name":"b","other":"","more":"x"}}`, "201"},
		{"sms", `{"phone_number":"07700900123","template_id":"{free}","personalisation":{"text":" "}}`, b + "Your message is empty."},
		{"sms", `{"phone_number":"07700900123","template_id":"{free}","personalisation":{"text":"` + strings.Repeat("é", 918) + `"}}`, "201"},
		{"sms", `{"phone_number":"07700900123","template_id":"{free}","personalisation":{"text":"` + strings.Repeat("é", 919) + `"}}`, b + "Your message is too long. Text messages cannot be longer than 918 characters. Your message is 919 characters long."},
	} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			s := fixed(Config{Templates: templates, UKOnly: true})
			s.DeleteTemplate("gone")
			got := post(s, test.kind, test.body)
			if got.text() != test.want {
				t.Errorf("%.200s\n got %s\nwant %s", test.body, got.text(), test.want)
			}
			if accepted := len(s.Accepted()) == 1; accepted != (got.status == 201) {
				t.Errorf("accepted = %v", s.Accepted())
			}
		})
	}
}

func TestRecipients(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]string{
		"07700900123": "", "+447700900123": "", "447700900123": "", " (07700) 900-123 ": "", "+1 202-555-0123": "", "0044 7700 900123": "",
		"": "Not enough digits", "077": "Not enough digits", "+44770090012": "Not enough digits",
		"077009001234": "Too many digits", "+447700900123456789": "Too many digits",
		"07700 9oo123": "Must not contain letters or symbols", "GOVWIFI": "Must not contain letters or symbols",
		"+999 1234 5678": "Not a valid country prefix",
	} {
		if _, got := parsePhone(number); got != want {
			t.Errorf("%q: %q, want %q", number, got, want)
		}
	}
	const bad = "Not a valid email address"
	for address, want := range map[string]string{
		"jo@dept.gov.uk": "", " jo.o'neill+guest@a-b.co.uk ": "", "JO@DEPT.GOV.UK": "", "jo@xn--bcher-kva.example": "",
		"jo": bad, "jo@dept": bad, "jo@@dept.gov.uk": bad, ".jo@dept.gov.uk": bad, "jo.@dept.gov.uk": bad, "j..o@dept.gov.uk": bad,
		"jöhn@dept.gov.uk": bad, "jo@dept_x.gov.uk": bad, "jo@-dept.gov.uk": bad, "jo@dept.gov.u": bad, "jo doe@dept.gov.uk": bad,
		strings.Repeat("x", 310) + "@dept.gov.uk": bad, "<jo@dept.gov.uk>": bad, "jo@" + strings.Repeat("x", 64) + ".uk": bad,
	} {
		if got := checkEmailAddress(address); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}

func TestRendering(t *testing.T) {
	t.Parallel()
	s := fixed(Config{Templates: []Template{
		{Name: "mail", Type: "email", Subject: "((n)) for ((WHO))", Body: "# ((list))((none))((*not markdown*))"},
		{Name: "text", Type: "sms", Body: "((list)), ((one))"},
	}})
	post(s, "email", `{"email_address":"jo@dept.gov.uk","template_id":"{mail}","personalisation":{"n":2,"who":"<b>","list":["a",null," ","b"],"none":[],"*not markdown*":"*x*"}}`)
	post(s, "sms", `{"phone_number":"07700900123","template_id":"{text}","personalisation":{"list":["a","b","c"],"one":["a"]}}`)
	got := s.Accepted()
	if len(got) != 2 || got[0].Subject != "2 for <b>" || got[0].Body != "# \n\n* a\n* b*x*" || got[1].Body != "a, b and c, a" {
		t.Errorf("%+v", got)
	}
}

func TestTheRateLimitIsNotifys(t *testing.T) {
	t.Parallel()
	passed := func(b *bucket, start time.Time, n int, every time.Duration) (good int) {
		for i := range n {
			if b.take(start.Add(time.Duration(i)*every)) == nil {
				good++
			}
		}
		return good
	}
	full := newBucket(3000)
	if got := passed(&full, noon, 2000, 0); got != 999 {
		t.Errorf("a burst passes %d", got)
	}
	for perSecond, want := range map[int][2]int{40: {99, 100}, 49: {97, 99}, 50: {0, 0}, 60: {0, 0}} {
		empty := newBucket(3000)
		passed(&empty, noon, 2000, 0)
		n := perSecond * 60
		got := 100 * passed(&empty, noon, n, time.Second/time.Duration(perSecond)) / n
		if got < want[0] || got > want[1] {
			t.Errorf("%d a second from empty: %d %% pass", perSecond, got)
		}
	}
	small := newBucket(30)
	if got := passed(&small, noon, 100, 0); got != 10 {
		t.Errorf("a small bucket passes %d", got)
	}
}

func TestRefusedRequestsEatTokensAndReadingDoesNot(t *testing.T) {
	t.Parallel()
	s := fixed(Config{RatePerMinute: 30})
	for range 10 {
		do(s, http.MethodGet, "/v2/templates", "Bearer "+goodToken(noon), "")
		if got := post(s, "sms", `{}`); got.status != 400 {
			t.Fatal(got.text())
		}
	}
	want := "429 RateLimitError: Exceeded rate limit for key type LIVE of 30 requests per 60 seconds"
	if got := post(s, "sms", `{}`).text(); got != want {
		t.Error(got)
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	s := fixed(Config{})
	sent := post(s, "sms", `{"phone_number":"07700900123","template_id":"{followup_sms}"}`).ID
	smoke := post(s, "sms", `{"phone_number":"+447700900111","template_id":"{followup_sms}"}`).ID
	const v = "400 ValidationError: "
	for path, want := range map[string]string{
		"/v2/notifications": "200",
		"/v2/notifications?status=failed&status=sending":  "200",
		"/v2/notifications?elephant=1":                    v + "Additional properties are not allowed (elephant was unexpected)",
		"/v2/notifications?status=elephant":               v + "status elephant is not one of [" + strings.Join(statuses, ", ") + "]",
		"/v2/notifications?template_type=fax":             v + "template_type fax is not one of [sms, email, letter]",
		"/v2/notifications?older_than=x":                  v + "older_than is not a valid UUID",
		"/v2/notifications/" + sent:                       "200",
		"/v2/notifications/" + smoke:                      "404 NoResultFound: No result found",
		"/v2/notifications/x":                             v + "notification_id is not a valid UUID",
		"/v2/templates?type=letter":                       "200",
		"/v2/templates?name=x":                            v + "Additional properties are not allowed (name was unexpected)",
		"/v2/template/" + s.id("followup_sms"):            "200",
		"/v2/template/" + service:                         "404 NoResultFound: No result found",
		"/v2/received-text-messages":                      "200",
		"/v2/received-text-messages?older_than=" + sent:   "200",
		"/v2/received-text-messages?reference=x":          v + "Additional properties are not allowed (reference was unexpected)",
		"/v2/elephants":                                   "404",
		"/v2/notifications?older_than=" + DoNotReplyID:    "200",
		"/v2/notifications?reference=unknown&older_than=": v + "older_than is not a valid UUID",
	} {
		if got := do(s, http.MethodGet, path, "Bearer "+goodToken(noon), "").text(); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if got := do(s, http.MethodDelete, "/v2/templates", "", ""); got.status != 405 || got.Result != "error" {
		t.Errorf("DELETE: %+v", got)
	}
}

func TestAnAcceptedMessageIsAnsweredAsNotifyDoes(t *testing.T) {
	t.Parallel()
	s := fixed(Config{})
	got := post(s, "email", `{"email_address":"jo@dept.gov.uk","template_id":"{credentials_expiring_notification_email}","personalisation":{"inactivity_period":"11 months","username":"bcdfgh"}}`)
	if got.status != 201 || got.ID != s.Accepted()[0].ID || !strings.Contains(fmt.Sprint(got.Content["body"]), "11 months") || got.Content["from_email"] == "" {
		t.Errorf("%+v", got)
	}
}

// TestTheWordingServesTheSmokeTests: GovWifi's own tests look for these parts.
func TestTheWordingServesTheSmokeTests(t *testing.T) {
	t.Parallel()
	user := govwifi.User{Username: "bcdfgh", Password: "CatDogEel"}
	mail, number := govwifi.Contact("jo@dept.gov.uk"), govwifi.Contact("+447700900123")
	messages := map[string]govwifi.Message{
		`^Welcome.*\n(?s:.*)Your username:\s*[a-z]{6}\s*Your password:\s*([A-Z][a-z]+){3}`:            govwifi.CredentialsEmail(mail, user),
		`^Welcome.*\n(?s:.*)Jo B(?s:.*)Your username:\s*[a-z]{6}\s*Your password:\s*([A-Z][a-z]+){3}`: govwifi.GuestMessage(mail, user, "Jo B"),
		`Username:\s*[a-z]{6}\s*Password:\s*([A-Z][a-z]+){3}`:                                         govwifi.GuestMessage(number, user, ""),
		`2 .*accounts have been created for your guests\n(?s:.*)jo@dept.gov.uk\r\n\+447700900123`:     govwifi.SponsorReceipt(mail, []govwifi.Contact{mail, number}, nil),
		`account has been created for your guest\n(?s:.*)jo@dept.gov.uk`:                              govwifi.SponsorReceipt(mail, []govwifi.Contact{mail}, nil),
		`could not be given.*\n(?s:.*)\n\* jo@dept.gov.uk\n\* \+447700900123\n`:                       govwifi.SponsorReceipt(mail, nil, []govwifi.Contact{mail, number}),
	}
	templates := map[string]liveTemplate{}
	for _, listed := range DefaultTemplates() {
		templates[listed.Name] = liveTemplate{Template: listed}
	}
	for pattern, m := range messages {
		values := map[string]any{}
		for key, value := range m.Personalisation {
			values[key] = value
		}
		got, refused := render(templates[string(m.Template)], values)
		if refused != nil || !regexp.MustCompile(pattern).MatchString(got.subject+"\n"+got.body) {
			t.Errorf("%s: %v\n%s\n%s", m.Template, refused, got.subject, got.body)
		}
	}
	for _, name := range govwifi.Templates() {
		template := templates[string(name)]
		got, refused := render(template, map[string]any{"login": "bcdfgh", "pass": "CatDogEel", "username": "x", "password": "x",
			"sponsor": "x", "contact": "x", "contacts": "x", "number_of_accounts": "2", "failedSponsees": "x", "inactivity_period": "x"})
		if refused != nil || checkLength(template.Type, got) != nil || (template.Type == typeEmail) != (got.subject != "") {
			t.Errorf("%s: %v %+v", name, refused, got)
		}
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	s := fixed(Config{})
	go post(s, "sms", `{"phone_number":"07700900000","template_id":"{followup_sms}","reference":"one"}`)
	got, err := s.Wait(t.Context(), 1)
	if err != nil || len(got) != 1 || got[0].Reference != "one" || got[0].At != noon {
		t.Errorf("Wait: %+v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Wait(ctx, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait: %v", err)
	}
}

func TestScripts(t *testing.T) {
	t.Parallel()
	s := fixed(Config{})
	const good = `{"phone_number":"07700900123","template_id":"{followup_sms}","reference":"one"}`
	var seen []Request
	fail := Next(1, Fault{Status: 503})
	s.Play(func(r Request) Fault { seen = append(seen, r); return fail(r) })
	if got := post(s, "sms", good).text(); got != "503" {
		t.Error(got)
	}
	if got := do(s, http.MethodGet, "/v2/notifications?reference=one", "Bearer "+goodToken(noon), "").text(); got != "200" {
		t.Error(got)
	}
	if got := post(s, "sms", good).text(); got != "201" {
		t.Error(got)
	}
	want := Request{Endpoint: "sms", Template: "followup_sms", To: "07700900123", Reference: "one"}
	if diff := cmp.Diff([]Request{want, {Endpoint: "notifications", Reference: "one"}, want}, seen); diff != "" {
		t.Error(diff)
	}
	s.Play(Always(Fault{Status: 400, Error: "BadRequestError", Message: "no", Accept: true}))
	if got := post(s, "sms", good).text(); got != "400 BadRequestError: no" || len(s.Accepted()) != 2 {
		t.Error(got, s.Accepted())
	}
}
