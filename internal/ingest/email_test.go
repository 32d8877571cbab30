package ingest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/sns"
)

func TestMailBecomesItsJob(t *testing.T) {
	signup := job.SignupEmail{MessageID: "ses1", From: "Jo <jo@dept.gov.uk>", MailFrom: "bounce@dept.gov.uk",
		Verdicts:   govwifi.Verdicts{Spam: "PASS", Virus: "PASS", SPF: "PASS", DKIM: "GRAY", DMARC: "PASS"},
		ReceivedAt: noon}
	for recipient, want := range map[string]job.Job{
		"signup@wifi.service.gov.uk":  signup,
		"enroll@wifi.service.gov.uk":  signup,
		"sponsor@wifi.service.gov.uk": job.SponsorBatch{SignupEmail: signup, Bucket: "bucket", Object: "object"},
		"SPONSOR@wifi.service.gov.uk": job.SponsorBatch{SignupEmail: signup, Bucket: "bucket", Object: "object"},
	} {
		t.Run(recipient, func(t *testing.T) {
			h := newHouse(t).open()
			status, answer, _ := h.mail("Notification", envelope(receipt("Jo <jo@dept.gov.uk>", recipient)))
			if status != 200 || answer != "" {
				t.Fatalf("%d %q", status, answer)
			}
			if diff := cmp.Diff(want, h.one()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMailIsRefused(t *testing.T) {
	good := receipt("jo@dept.gov.uk", "signup@wifi.service.gov.uk")
	for name, c := range map[string]struct{ kind, body string }{
		"no type header":      {"", envelope(good)},
		"unknown type header": {"Something", envelope(good)},
		"another type":        {"SubscriptionConfirmation", envelope(good)},
		"no JSON":             {"Notification", "hello"},
		"no Message":          {"Notification", `{"Type":"Notification"}`},
		"Message no text":     {"Notification", `{"Type":"Notification","Message":{}}`},
		"Message no JSON":     {"Notification", envelope("hello")},
		"no message id":       {"Notification", envelope(strings.Replace(good, `"messageId":"ses1",`, "", 1))},
		"message id a number": {"Notification", envelope(strings.Replace(good, `"ses1"`, "1", 1))},
		"no From":             {"Notification", envelope(strings.Replace(good, `"from"`, `"form"`, 1))},
		"From empty":          {"Notification", envelope(receipt("", "signup@wifi.service.gov.uk"))},
		"From no address":     {"Notification", envelope(receipt("Jo Smith", "signup@wifi.service.gov.uk"))},
		"sponsor, no place":   {"Notification", envelope(strings.Replace(receipt("jo@dept.gov.uk", "sponsor@wifi.service.gov.uk"), `"objectKey"`, `"x"`, 1))},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t).open()
			status, answer, _ := h.mail(c.kind, c.body)
			h.refused(400, status, answer)
			if strings.Contains(answer, "jo@dept") {
				t.Error("the answer repeats an address")
			}
		})
	}
}

// SES announces a new receipt rule in a message whose other fields may be missing.
func TestSetupMessageNeedsNothing(t *testing.T) {
	h := newHouse(t).open()
	if status, answer, _ := h.mail("Notification", envelope(`{"mail":{"messageId":"AMAZON_SES_SETUP_NOTIFICATION"}}`)); status != 200 || answer != "" || len(h.jobs) != 0 {
		t.Errorf("%d %q %v", status, answer, h.jobs)
	}
}

func TestMailIsJudged(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
	}{
		"forged":      {fmt.Errorf("%w: bad signature", sns.ErrForbidden), 403},
		"unavailable": {fmt.Errorf("%w: no certificate", sns.ErrUnavailable), 503},
		"ours":        {nil, 200},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.door.Verifier = judge{c.err}
			h.open()
			status, answer, header := h.mail("Notification", envelope(receipt("jo@dept.gov.uk", "signup@wifi.service.gov.uk")))
			if c.status == 200 {
				h.one()
				return
			}
			h.refused(c.status, status, answer)
			if (c.status == 503) != (header.Get("Retry-After") != "") {
				t.Errorf("Retry-After: %q", header.Get("Retry-After"))
			}
		})
	}
}

func TestConfirmations(t *testing.T) {
	body := func(kind string) string {
		return fmt.Sprintf(`{"Type":%q,"Message":"…","SubscribeURL":"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription"}`, kind)
	}
	for name, c := range map[string]struct {
		kind   string
		err    error
		status int
	}{
		"confirmed":    {"SubscriptionConfirmation", nil, 200},
		"foreign":      {"SubscriptionConfirmation", sns.ErrForbidden, 403},
		"AWS away":     {"SubscriptionConfirmation", sns.ErrUnavailable, 503},
		"unsubscribed": {"UnsubscribeConfirmation", errors.New("must not be asked"), 200},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.door.Confirmer = judge{c.err}
			h.open()
			status, answer, _ := h.mail(c.kind, body(c.kind))
			if c.status == 200 {
				if status != 200 || answer != "" || len(h.jobs) != 0 {
					t.Errorf("%d %q", status, answer)
				}
				return
			}
			h.refused(c.status, status, answer)
		})
	}
}

func TestMailIsTooLarge(t *testing.T) {
	h := newHouse(t).open()
	status, answer, _ := h.mail("Notification", envelope(strings.Repeat("x", maxBody)))
	h.refused(413, status, answer)
}

func TestMailIsNotQueued(t *testing.T) {
	h := newHouse(t).open()
	h.fault = errors.New("READONLY")
	status, answer, header := h.mail("Notification", envelope(receipt("jo@dept.gov.uk", "signup@wifi.service.gov.uk")))
	h.refused(503, status, answer)
	if header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}
