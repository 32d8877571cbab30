package notify

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/notify/notifytest"
)

// TestErrorTable is the table of docs/facts.md A7, row by row, in Notify's wording.
func TestErrorTable(t *testing.T) {
	t.Parallel()
	refused, ours, unknown := govwifi.ErrRefused, govwifi.ErrMisconfigured, govwifi.ErrAmbiguous
	for _, test := range []struct {
		status         int
		class, message string
		want           error
		slow           bool
	}{
		{400, "ValidationError", "phone_number Not enough digits", refused, false},
		{400, "ValidationError", "phone_number Too many digits", refused, false},
		{400, "ValidationError", "phone_number Must not contain letters or symbols", refused, false},
		{400, "ValidationError", "phone_number Not a valid country prefix", refused, false},
		{400, "ValidationError", "phone_number Number is not valid – double check the phone number you entered", refused, false},
		{400, "ValidationError", "email_address Not a valid email address", refused, false},
		{400, "ValidationError", "template_id is a required property", ours, false},
		{400, "ValidationError", "template_id is not a valid UUID", ours, false},
		{400, "ValidationError", "email_reply_to_id is not a valid UUID", ours, false},
		{400, "ValidationError", "reference x is too long", ours, false},
		{400, "ValidationError", "Additional properties are not allowed (phone_number was unexpected)", ours, false},
		{400, "ValidationError", "personalisation x is not of type object", ours, false},
		{400, "InvalidPhoneError", "Not a UK mobile number", refused, false},
		{400, "InvalidEmailError", "Not a valid email address", refused, false},
		{400, "BadRequestError", "Cannot send to international mobile numbers", refused, false},
		{400, "BadRequestError", "Can’t send to this recipient using a team-only API key", refused, false},
		{400, "BadRequestError", "Can't send to this recipient using a team-only API key", refused, false},
		{400, "BadRequestError", "Can’t send to this recipient when service is in trial mode – see https://www.notifications.service.gov.uk/trial-mode", refused, false},
		{400, "BadRequestError", "Recipient can't be empty", refused, false},
		{400, "BadRequestError", "Your message is too long. Text messages cannot be longer than 918 characters.", refused, false},
		{400, "BadRequestError", "Your message is empty.", refused, false},
		{400, "BadRequestError", "Template not found", ours, false},
		{400, "BadRequestError", "sms template is not suitable for email notification", ours, false},
		{400, "BadRequestError", "Missing personalisation: a, b", ours, false},
		{400, "BadRequestError", "email_reply_to_id x does not exist in database for service id y", ours, false},
		{400, "BadRequestError", "Service is not allowed to send text messages", ours, false},
		{400, "BadRequestError", "Invalid JSON supplied in POST data", ours, false},
		{400, "BadRequestError", "Something that Notify says only from next year on", ours, false},
		{400, "NewError", "phone_number Not enough digits", ours, false},
		{400, "", "", ours, false},
		{401, "AuthError", "Unauthorized: authentication token must be provided", ours, true},
		{403, "AuthError", "Error: Your system clock must be accurate to within 30 seconds", ours, true},
		{403, "AuthError", "Invalid token: API key not found", ours, true},
		{403, "BadRequestError", "Invalid token: API key revoked", ours, true},
		{403, "", "", ours, true},
		{404, "NoResultFound", "No result found", ours, false},
		{429, "RateLimitError", "Exceeded rate limit for key type LIVE of 3000 requests per 60 seconds", nil, true},
		{429, "TooManyRequestsError", "Exceeded send limits (sms: 250000) for today", nil, true},
		{429, "", "", nil, true},
		{500, "SQLAlchemyError", "Internal server error", unknown, false},
		{502, "", "", unknown, false},
		{503, "", "", unknown, false},
		{504, "HardEventletTimeout", "Timeout serving request", unknown, false},
	} {
		t.Run(test.class+"/"+test.message, func(t *testing.T) {
			t.Parallel()
			c, server := start(t, notifytest.Config{})
			server.Play(notifytest.Always(notifytest.Fault{Status: test.status, Error: test.class, Message: test.message}))
			err := c.Send(t.Context(), aText("job-1"))
			for _, sentinel := range []error{refused, ours, unknown} {
				if got := errors.Is(err, sentinel); got != (sentinel == test.want) {
					t.Errorf("Is(%v) = %v: %v", sentinel, got, err)
				}
			}
			var slow *govwifi.SlowDownError
			if errors.As(err, &slow) != test.slow {
				t.Errorf("slow down: %v", err)
			}
			if err == nil || !strings.Contains(err.Error(), test.class) || strings.Contains(err.Error(), string(number)) {
				t.Errorf("text: %v", err)
			}
		})
	}
}

// TestRealRefusals checks that what the stand-in really refuses is classed rightly.
func TestRealRefusals(t *testing.T) {
	t.Parallel()
	long := govwifi.Text(govwifi.CredentialsSMS, number, govwifi.User{Username: strings.Repeat("x", 900), Password: "CatDogEel"})
	badReplyTo := anEmail("x")
	badReplyTo.ReplyTo = govwifi.SupportReply
	longReference := aText(strings.Repeat("r", 1001))
	for name, test := range map[string]struct {
		message govwifi.Message
		want    error
	}{
		"too few digits":  {govwifi.Text(govwifi.CredentialsSMS, "+4477", jo), govwifi.ErrRefused},
		"landline":        {govwifi.Text(govwifi.CredentialsSMS, "+442079460958", jo), govwifi.ErrRefused},
		"abroad":          {govwifi.Text(govwifi.CredentialsSMS, "+33612345678", jo), govwifi.ErrRefused},
		"bad address":     {govwifi.CredentialsEmail("jöhn@dept.gov.uk", jo), govwifi.ErrRefused},
		"too long":        {long, govwifi.ErrRefused},
		"personalisation": {govwifi.Message{Template: govwifi.CredentialsSMS, To: number}, govwifi.ErrMisconfigured},
		"reply-to":        {badReplyTo, govwifi.ErrMisconfigured},
		"reference":       {longReference, govwifi.ErrMisconfigured},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, server := start(t, notifytest.Config{UKOnly: true}, func(cfg *Config) {
				cfg.ReplyTo = map[govwifi.ReplyTo]string{govwifi.SupportReply: "11111111-2222-3333-4444-555555555555"}
			})
			if err := c.Send(t.Context(), test.message); !errors.Is(err, test.want) {
				t.Errorf("Send: %v", err)
			}
			if got := server.Accepted(); len(got) != 0 {
				t.Errorf("accepted %v", got)
			}
		})
	}
}

func TestARevokedKeyStopsAllAndLosesNothing(t *testing.T) {
	t.Parallel()
	c, server := start(t, notifytest.Config{})
	server.RevokeKey("new-26785a09-ab16-4eb0-8407-a37497a57506-00000000-8d35-48ac-975b-e847b4f122b0")
	var slow *govwifi.SlowDownError
	err := c.Send(t.Context(), aText("x"))
	if !errors.Is(err, govwifi.ErrMisconfigured) || !errors.As(err, &slow) || slow.Wait != keyPause {
		t.Errorf("Send: %v", err)
	}
	if _, err := c.Sent(t.Context(), "x"); !errors.Is(err, govwifi.ErrMisconfigured) || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("Sent: %v", err)
	}
}

func TestHowLongToSlowDown(t *testing.T) {
	t.Parallel()
	now := newClock("2026-03-01T22:59:00Z")
	c, _ := start(t, notifytest.Config{Now: now.Now, RatePerMinute: 3000, PerDay: 2})
	daily := func(err error) time.Duration {
		t.Helper()
		var slow *govwifi.SlowDownError
		if !errors.As(err, &slow) || !slow.OneKind {
			t.Fatalf("Send: %v", err)
		}
		return slow.Wait
	}
	for range 2 {
		if err := c.Send(t.Context(), aText("")); err != nil {
			t.Fatal(err)
		}
	}
	if got := daily(c.Send(t.Context(), aText(""))); got != time.Hour+time.Minute+clockMargin {
		t.Errorf("daily limit: wait %s", got)
	}
	if err := c.Send(t.Context(), anEmail("")); err != nil {
		t.Errorf("emails have a limit of their own: %v", err)
	}
	now.Add(time.Hour + 2*time.Minute)
	if err := c.Send(t.Context(), aText("")); err != nil {
		t.Errorf("after midnight: %v", err)
	}
}

func TestTheRatePauseIsJittered(t *testing.T) {
	t.Parallel()
	c, server := start(t, notifytest.Config{})
	server.Play(notifytest.Always(notifytest.Fault{Status: 429, Error: "RateLimitError", Message: "Exceeded rate limit"}))
	waits := map[time.Duration]bool{}
	for range 10 {
		var slow *govwifi.SlowDownError
		if err := c.Send(t.Context(), aText("")); !errors.As(err, &slow) || slow.OneKind || slow.Wait < ratePause || slow.Wait >= 2*ratePause {
			t.Fatalf("Send: %v", err)
		}
		waits[slow.Wait] = true
	}
	if len(waits) < 2 {
		t.Error("all waits are alike")
	}
}

func TestSeveralErrorsInOneAnswer(t *testing.T) {
	t.Parallel()
	phone := `{"error":"ValidationError","message":"phone_number Not enough digits"}`
	for name, test := range map[string]struct {
		body string
		want error
		says string
	}{
		"all of the recipient":   {`{"errors":[` + phone + `,` + phone + `]}`, govwifi.ErrRefused, "Not enough digits"},
		"one of ours among them": {`{"errors":[` + phone + `,{"error":"ValidationError","message":"template_id is not a valid UUID"}]}`, govwifi.ErrMisconfigured, "template_id is not"},
		"a text":                 {`{"errors":["come back with a key"]}`, govwifi.ErrMisconfigured, "come back with a key"},
		"one unreadable":         {`{"errors":[` + phone + `,17]}`, govwifi.ErrMisconfigured, "Not enough digits"},
		"a null":                 {`{"errors":[` + phone + `,null]}`, govwifi.ErrMisconfigured, "Not enough digits"},
		"an object for a list":   {`{"errors":` + phone + `}`, govwifi.ErrMisconfigured, ""},
		"none":                   {`{"errors":[]}`, govwifi.ErrMisconfigured, ""},
		"another shape":          {`{"result":"error","message":"phone_number Not enough digits"}`, govwifi.ErrMisconfigured, "Not enough digits"},
		"a deeper shape":         {`{"message":{"x":["y"]}}`, govwifi.ErrMisconfigured, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := decodeError(answer{status: 400, body: []byte(test.body)}, govwifi.Message{})
			if e.kind != test.want || !strings.Contains(e.Error(), test.says) {
				t.Errorf("kind = %v of %v", e.kind, e)
			}
		})
	}
}

func TestErrorTextsShowNothingPrivate(t *testing.T) {
	t.Parallel()
	c, server := start(t, notifytest.Config{})
	server.Play(notifytest.Always(notifytest.Fault{Status: 400, Error: "ValidationError",
		Message: "reference secret-job is too long;\r\n personalisation {'login': 'bcdfgh', 'pass': 'CatDogEel'} of jo@dept.gov.uk or +447700900123 " + strings.Repeat("x", 1000)}))
	err := c.Send(t.Context(), aText("secret-job"))
	for _, private := range []string{"secret-job", "bcdfgh", "CatDogEel", "jo@dept", "7700900123", "\n"} {
		if err == nil || strings.Contains(err.Error(), private) {
			t.Errorf("shows %q: %v", private, err)
		}
	}
	if n := utf8.RuneCountInString(err.Error()); n > 500 {
		t.Errorf("%d characters", n)
	}
}

func FuzzDecodeError(f *testing.F) {
	f.Add(400, `{"status_code":400,"errors":[{"error":"ValidationError","message":"phone_number Not enough digits"}]}`)
	f.Add(400, `{"errors":[{"error":"BadRequestError","message":"Can’t send to this recipient jo@dept.gov.uk"}]}`)
	f.Add(404, `{"result":"error","message":"Not found"}`)
	f.Add(422, `{"detail":"Not Found"}`)
	f.Add(502, `<html>`)
	f.Add(400, `{"errors":[null,1,"x",{"error":1}]}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		e := decodeError(answer{status: status, body: []byte(body)}, aText("job"))
		if errors.Is(e, govwifi.ErrRefused) && (status != 400 || !json.Valid([]byte(body))) {
			t.Errorf("%d %q is refused", status, body)
		}
		if status == 400 && e.kind == nil {
			t.Errorf("a 400 without a kind: %q", body)
		}
		text := e.Error()
		if !utf8.ValidString(text) || strings.ContainsAny(text, "\r\n\x00") || utf8.RuneCountInString(text) > 800 {
			t.Errorf("unfit for a log: %q", text)
		}
		if strings.Contains(text, jo.Password) {
			t.Errorf("shows the password: %q", text)
		}
	})
}
