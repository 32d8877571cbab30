package journeys

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/notify/notifytest"
)

const jo = "Jo Smith <jo.smith@dept.gov.uk>"

// received by each person, by template.
func by(messages []notifytest.Accepted) map[string]govwifi.Template {
	got := map[string]govwifi.Template{}
	for _, m := range messages {
		got[m.To] = m.Template
	}
	return got
}

func receipt(t *testing.T, messages []notifytest.Accepted) notifytest.Accepted {
	t.Helper()
	var receipts []notifytest.Accepted
	for _, m := range messages {
		if m.To == "jo.smith@dept.gov.uk" {
			receipts = append(receipts, m)
		}
	}
	if len(receipts) != 1 || messages[len(messages)-1].To != "jo.smith@dept.gov.uk" {
		t.Fatalf("%d receipts, or not the last message: %+v", len(receipts), messages)
	}
	return receipts[0]
}

func TestSponsorOneGuest(t *testing.T) {
	h := newHouse(t).open().work()
	h.deliver(h.mail(jo, sponsor, "ada@example.com"))
	got := h.received(2)
	user := h.user("ada@example.com")
	if got[0].Template != govwifi.SponsorCredentialsEmail || got[0].Personalisation["sponsor"] != jo ||
		got[0].Personalisation["username"] != user.Username || user.Sponsor != "jo.smith@dept.gov.uk" {
		t.Errorf("guest received %+v, sponsor %q", got[0], string(user.Sponsor))
	}
	if r := receipt(t, got); r.Template != govwifi.SponsorConfirmationSingular || r.Personalisation["contact"] != "ada@example.com" {
		t.Errorf("receipt %+v", r)
	}
}

// Mail and phone guests, the sponsor in the list, repeats in two spellings.
func TestSponsorSeveralGuests(t *testing.T) {
	h := newHouse(t).open().work()
	h.deliver(h.mail(jo, sponsor, "Please add\r\n  ada@example.com\r\n  07700 900789\r\nADA@example.com\r\njo.smith@dept.gov.uk\r\n+447700900789\r\nGrace <grace@example.org>\r\n"))
	got := h.received(4)
	want := map[string]govwifi.Template{"ada@example.com": govwifi.SponsorCredentialsEmail, "+447700900789": govwifi.CredentialsSMS,
		"grace@example.org": govwifi.SponsorCredentialsEmail, "jo.smith@dept.gov.uk": govwifi.SponsorConfirmationPlural}
	for to, template := range by(got) {
		if want[to] != template {
			t.Errorf("%s received %s", to, template)
		}
	}
	r := receipt(t, got)
	if r.Personalisation["number_of_accounts"] != "3" || r.Personalisation["contacts"] != "ada@example.com\r\n+447700900789\r\ngrace@example.org" {
		t.Errorf("receipt %+v", r.Personalisation)
	}
}

// Some guests are refused for good: the receipt names them in the mail's order, and
// they are no failure of their batch.
func TestSponsorRefusedGuests(t *testing.T) {
	h := newHouse(t).open().work()
	refused := []string{"b@example.com", "d@example.com"}
	h.notify.Play(func(r notifytest.Request) notifytest.Fault {
		if r.IsSend() && slices.Contains(refused, r.To) {
			return notifytest.Fault{Status: 400, Error: "ValidationError", Message: "email_address Not a valid email address"}
		}
		return notifytest.Fault{}
	})
	long := strings.Repeat("x", 100) + "@example.com"
	h.deliver(h.mail(jo, sponsor, "a@example.com\r\nb@example.com\r\n"+long+"\r\nc@example.com\r\nd@example.com\r\n"))
	got := h.received(3)
	r := receipt(t, got)
	if r.Template != govwifi.SponsorConfirmationFailed || r.Personalisation["failedSponsees"] != "* b@example.com\n* "+long+"\n* d@example.com" {
		t.Errorf("receipt %+v", r)
	}
	if strings.Contains(h.log.String(), "outcome=archived") {
		t.Errorf("something was archived:\n%s", h.log)
	}
}

// A guest who has an account keeps it, and its sponsor.
func TestSponsorExistingGuest(t *testing.T) {
	h := newHouse(t).open().work()
	h.deliver(h.mail("ann@dept.gov.uk", signup, ""))
	h.received(1)
	before := h.user("ann@dept.gov.uk")
	h.deliver(h.mail(jo, sponsor, "ann@dept.gov.uk"))
	got := h.received(3)
	if after := h.user("ann@dept.gov.uk"); after != before || got[1].Personalisation["password"] != before.Password {
		t.Errorf("before %q, after %q", string(before.Sponsor), string(after.Sponsor))
	}
}

// Who may not sponsor, and who names nobody, changes nothing and hears nothing.
func TestSponsorRefused(t *testing.T) {
	h := newHouse(t).open().work()
	h.deliver(h.mail("x@example.com", sponsor, "ada@example.com"))
	h.deliver(h.mail(jo, sponsor, "Hello, how does this work?"))
	forged, err := h.world.Mail([]byte("From: "+jo+"\r\nTo: "+sponsor+"\r\n\r\nada@example.com\r\n"), sponsor, map[string]string{"dmarc": "FAIL"})
	if err != nil {
		t.Fatal(err)
	}
	h.deliver(forged)
	h.deliver(h.mail(jo+", x@example.com", sponsor, "ada@example.com")) // all of its verdicts are PASS
	hidden, err := h.world.Mail([]byte("From: "+jo+"\r\n"+strings.Repeat("X-Padding: "+strings.Repeat("x", 900)+"\r\n", 12)+
		"From: x@example.com\r\n\r\nada@example.com\r\n"), sponsor, nil) // SES's notice does not say that there is a second
	if err != nil {
		t.Fatal(err)
	}
	h.deliver(hidden)
	h.await("five batches to be done", func() bool { return strings.Count(h.log.String(), "job=sponsor-batch") >= 5+5 })
	h.deliver(h.world.Text("447700900123", "Go"))
	if got := h.received(1); len(got) != 1 || got[0].To != "+447700900123" || h.users() != 1 {
		t.Errorf("received %+v, %d users", got, h.users())
	}
	for _, reason := range []string{"not on the allow-list", "names no guest", "DMARC failed", "named with several domains or headers"} {
		if !strings.Contains(h.log.String(), reason) {
			t.Errorf("the log does not say %q", reason)
		}
	}
	if n := strings.Count(h.log.String(), "named with several"); n != 2 {
		t.Errorf("%d mails have several senders, want 2", n)
	}
}

// 300 guests, two workers: everyone once, one receipt, after the last guest.
func TestSponsorManyGuests(t *testing.T) {
	h := newHouse(t).open().work().work()
	var text strings.Builder
	for i := range 300 {
		fmt.Fprintf(&text, "guest%d@example.com\r\n", i)
	}
	event := h.mail(jo, sponsor, text.String())
	h.deliver(event)
	h.deliver(event)
	got := h.received(301)
	if people := by(got); len(people) != 301 || len(got) != 301 || h.users() != 300 {
		t.Errorf("%d messages to %d people, %d users", len(got), len(people), h.users())
	}
	if r := receipt(t, got); r.Personalisation["number_of_accounts"] != "300" {
		t.Errorf("receipt for %s", r.Personalisation["number_of_accounts"])
	}
}
