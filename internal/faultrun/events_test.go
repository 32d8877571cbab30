package faultrun

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/notify/notifytest"
	"github.com/govwifi/user-signup/internal/outside"
)

// event is a webhook, and what has to come of it once it is acknowledged.
type event struct {
	outside.Event
	kind string
	// sns says that SNS sends it; otherwise GOV.UK Notify does.
	sns bool
	// wants are the messages that it ends in.
	wants []want
	// archived says that its job cannot be done, and goes to the archive.
	archived bool
	// status is what a delivery receipt reports; empty for other events.
	status string
}

// want is one message.
type want struct {
	reference, to string
	template      govwifi.Template
	// account says that it tells the credentials of whom it is sent to.
	account bool
	// holds is what its text must hold.
	holds string
}

// kind is one kind of event.
type kind struct {
	name   string
	weight int
	// make draws events: n is theirs alone, for names and numbers.
	make func(w *scene, n int, dice *rand.Rand) []*event
}

func kinds() []kind {
	return []kind{
		{"mail", 5, func(w *scene, n int, _ *rand.Rand) []*event {
			return []*event{w.mail(fmt.Sprintf("person%d@dept.gov.uk", n))}
		}},
		// One person, twice at the same moment: one account, two answers.
		{"mail-twice", 2, func(w *scene, n int, _ *rand.Rand) []*event {
			from := fmt.Sprintf("twin%d@dept.gov.uk", n)
			return []*event{w.mail(from), w.mail(from)}
		}},
		{"mail-stranger", 2, func(w *scene, n int, _ *rand.Rand) []*event {
			from := fmt.Sprintf("stranger%d@example.com", n)
			e := w.post(outside.PlainMail(from, signup, "Hello", ""), signup, nil)
			e.wants = []want{{e.ID, from, govwifi.RejectedEmailAddressEmail, false, ""}}
			return []*event{e}
		}},
		{"mail-virus", 1, func(w *scene, n int, _ *rand.Rand) []*event {
			from := fmt.Sprintf("ill%d@dept.gov.uk", n)
			return []*event{w.post(outside.PlainMail(from, signup, "Hello", ""), signup, map[string]string{"virus": "FAIL"})}
		}},
		{"mail-refused", 1, func(w *scene, n int, _ *rand.Rand) []*event {
			e := w.mail(fmt.Sprintf("%s%d@dept.gov.uk", refused, n))
			e.wants, e.archived = nil, true
			return []*event{e}
		}},
		{"text", 5, func(w *scene, n int, _ *rand.Rand) []*event { return []*event{w.text(n, "Go", govwifi.CredentialsSMS)} }},
		{"text-twice", 2, func(w *scene, n int, _ *rand.Rand) []*event {
			return []*event{w.text(n, "Go", govwifi.CredentialsSMS), w.text(n, "go please", govwifi.CredentialsSMS)}
		}},
		{"text-help", 3, func(w *scene, n int, dice *rand.Rand) []*event {
			asks := []struct {
				text   string
				answer govwifi.Template
			}{{"help", govwifi.HelpMenuSMS}, {"android", govwifi.DeviceHelpAndroidSMS}, {"2", govwifi.DeviceHelpIPhoneSMS}, {"what?", govwifi.RecapSMS}}
			ask := asks[dice.IntN(len(asks))]
			return []*event{w.text(n, ask.text, ask.answer)}
		}},
		// From a short code, or from our own number: counted, and nothing is sent.
		{"text-machine", 1, func(w *scene, _ int, dice *rand.Rand) []*event {
			from := []string{"GovWifi", outside.Number}[dice.IntN(2)]
			return []*event{{Event: w.world.Text(from, "Go"), kind: "text-machine"}}
		}},
		{"batch", 3, func(w *scene, n int, dice *rand.Rand) []*event {
			return []*event{w.batch(n, 1+dice.IntN(7), dice.IntN(3) == 0, dice.IntN(3) == 0)}
		}},
		{"receipt", 3, func(w *scene, n int, dice *rand.Rand) []*event {
			id, now := uuid.NewString(), time.Now()
			delivered := &event{Event: w.world.Receipt(id, fmt.Sprintf("chaos-%d", n), "delivered", now), status: "delivered"}
			if dice.IntN(2) == 0 {
				return []*event{delivered}
			}
			// Two reports of one message, on their way at once.
			return []*event{delivered, {Event: w.world.Receipt(id, fmt.Sprintf("chaos-%d", n), "temporary-failure", now.Add(-time.Minute)), status: "temporary-failure"}}
		}},
	}
}

// post is a mail that SES announces.
func (w *scene) post(raw []byte, to string, verdicts map[string]string) *event {
	e, err := w.world.Mail(raw, to, verdicts)
	if err != nil {
		panic(err) // we wrote the mail
	}
	return &event{Event: e, sns: true}
}

func (w *scene) mail(from string) *event {
	e := w.post(outside.PlainMail(from, signup, "Hello", "please"), signup, nil)
	e.wants = []want{{e.ID, from, govwifi.SelfSignupCredentialsEmail, true, ""}}
	return e
}

func (w *scene) text(n int, text string, answer govwifi.Template) *event {
	number := fmt.Sprintf("447720%06d", n)
	e := &event{Event: w.world.Text(number, text)}
	// Notify has it, whether its webhook arrives or not.
	w.notify.ReceiveText(notifytest.ReceivedText{ID: e.ID, From: number, To: outside.Number, Content: text})
	e.wants = []want{{e.ID, "+" + number, answer, true, ""}}
	return e
}

// batch is a sponsor's mail with guests, some of them by phone. One guest may be refused
// by Notify, and one may be in every other batch that has a shared guest too.
func (w *scene) batch(n, guests int, withRefused, withShared bool) *event {
	var list []string
	for i := range guests {
		if i%3 == 2 {
			list = append(list, fmt.Sprintf("+447730%04d%02d", n, i))
			continue
		}
		list = append(list, fmt.Sprintf("guest%d-%d@example.com", n, i))
	}
	if withShared {
		list = append(list, "shared@example.org")
	}
	bad := fmt.Sprintf("%s%d@example.net", refused, n)
	if withRefused {
		list = append(list, bad)
	}
	from := fmt.Sprintf("sponsor%d@dept.gov.uk", n)
	e := w.post(outside.PlainMail("Jo <"+from+">", sponsor, "Guests", strings.Join(list, "\r\n")), sponsor, nil)
	for i, guest := range list {
		template := govwifi.SponsorCredentialsEmail
		if strings.HasPrefix(guest, "+") {
			template = govwifi.CredentialsSMS
		}
		if guest != bad {
			e.wants = append(e.wants, want{fmt.Sprintf("%s-guest-%d", e.ID, i), guest, template, true, ""})
		}
	}
	e.wants = append(e.wants, receipt(e.ID, from, list, withRefused))
	return e
}

// receipt is what the sponsor is told.
func receipt(id, to string, list []string, withRefused bool) want {
	w := want{id + "-receipt", to, govwifi.SponsorConfirmationPlural, false, fmt.Sprint(len(list))}
	switch {
	case withRefused:
		w.template, w.holds = govwifi.SponsorConfirmationFailed, list[len(list)-1]
	case len(list) == 1:
		w.template, w.holds = govwifi.SponsorConfirmationSingular, list[0]
	}
	return w
}
