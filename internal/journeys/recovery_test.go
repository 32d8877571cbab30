package journeys

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/notify/notifytest"
	"github.com/govwifi/user-signup/internal/outside"
	"github.com/govwifi/user-signup/internal/queue"
	"github.com/govwifi/user-signup/internal/s3/s3test"
)

// happened is when everything happened that the recoveries are to find: before now by more
// than they leave to the senders' own tries.
const happened = time.Hour

// text is one that Notify has received, an hour ago and a while.
func (h *house) text(from, text string, after time.Duration) outside.Event {
	h.t.Helper()
	e := h.world.Text(from, text)
	h.notify.ReceiveText(notifytest.ReceivedText{ID: e.ID, At: time.Now().Add(after - happened), From: from, To: outside.Number, Content: text})
	return e
}

// oldMail is one that SES stored an hour ago.
func (h *house) oldMail(from, to, text string, verdicts map[string]string) outside.Event {
	h.t.Helper()
	e, err := h.world.Mail(outside.PlainMail(from, to, "Hello", text), to, verdicts)
	if err != nil {
		h.t.Fatal(err)
	}
	o, _ := h.s3.Get(outside.MailBucket, e.ID)
	o.Modified = time.Now().Add(-happened)
	h.s3.Put(outside.MailBucket, s3test.Object{Key: o.Key, Body: o.Body, Modified: o.Modified})
	return e
}

// recover runs both recoveries, and waits until they and all that they queued are done.
func (h *house) recover(tick string) {
	h.t.Helper()
	rdb := h.rdb()
	q := queue.NewClient(rdb, h.seal.Sealer)
	lost := job.Recovery{Since: time.Now().Add(-job.LookBack), Tick: tick}
	for _, j := range []job.Job{job.RecoverTexts{Recovery: lost}, job.RecoverMail{Recovery: lost}} {
		if err := q.Enqueue(h.t.Context(), j); err != nil {
			h.t.Fatal(err)
		}
		h.await(j.Key(), func() bool { return done(h.log.String(), j.Key()) })
	}
	h.await("empty queues", func() bool { return idle(h, rdb) })
}

func idle(h *house, rdb redis.UniversalClient) bool { return unfinished(h.t, rdb) == 0 }

// Redis is wiped while a batch's guests are being enqueued: the rest of them come after
// the wipe, and their batch only with the recovery of its mail. The sponsor hears of all.
func TestRecoveryOfABatchHalfEnqueued(t *testing.T) {
	h := newHouse(t)
	e := h.oldMail(jo, sponsor, "ada@example.com\r\ngrace@example.com", nil)
	rdb := h.rdb()
	batch := govwifi.Batch{ID: e.ID, Sponsor: jo, Guests: []govwifi.Contact{"ada@example.com", "grace@example.com"}}
	late := job.InviteGuest(batch, 1, false)
	if err := queue.NewClient(rdb, h.seal.Sealer).Enqueue(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	h.open().work()
	h.await("the late guest to come back", func() bool { return strings.Contains(h.log.String(), "key="+late.Key()+" attempt=1 outcome=retry") })
	h.recover("only")
	got := h.received(3)
	once(t, got)
	if r := receipt(t, got); r.Template != govwifi.SponsorConfirmationPlural || r.Personalisation["number_of_accounts"] != "2" {
		t.Errorf("receipt %+v", r)
	}
}

// Redis is wiped amid the answers, and the webhooks of some events never came. The two
// recoveries make everything whole: everybody is answered, nobody twice, and who had no
// answer for a reason gets none.
func TestRecovery(t *testing.T) {
	h := newHouse(t)
	h.notify.Play(notifytest.Always(notifytest.Fault{Delay: 200 * time.Millisecond}))
	want := map[string]string{}
	var events []outside.Event
	for i := range 30 {
		words := []string{"Go", "help"}[i%2]
		e := h.text(phone(i), words, time.Duration(i)*time.Second)
		want[e.ID] = "a text"
		if i < 20 { // the webhooks of the others are lost
			events = append(events, e)
		}
	}
	for i := range 3 {
		e := h.oldMail(fmt.Sprintf("jo%d@dept.gov.uk", i), signup, "Hello", nil)
		want[e.ID] = "a mail"
		events = append(events, e)
	}
	e := h.oldMail("lost@dept.gov.uk", signup, "Hello", nil)
	want[e.ID] = "a mail that nobody announced"
	for n, name := range []string{"early", "lost"} {
		var guests strings.Builder
		for i := range 25 {
			fmt.Fprintf(&guests, "%s%d@example.com\r\n", name, i)
		}
		e := h.oldMail(jo, sponsor, guests.String(), nil)
		for i := range 25 {
			want[fmt.Sprintf("%s-guest-%d", e.ID, i)] = "a guest"
		}
		want[e.ID+"-receipt"] = "a receipt"
		if n == 0 {
			events = append(events, e)
		}
	}
	// These get no answer, by whichever way they come.
	events = append(events,
		h.oldMail(jo, sponsor, "forged@example.com", map[string]string{"dmarc": "FAIL"}),
		h.oldMail(jo, sponsor, "nobody to invite", nil),
		h.text("DVLA", "Go", 0), h.text(outside.Number, "Go", 0))
	h.oldMail(jo, "verify@wifi.service.gov.uk", "for somebody else", nil)
	for i := range 4 {
		e := h.text("447700900999", "I am a machine", time.Duration(i)*time.Minute)
		if i < 2 {
			want[e.ID] = "a machine, until it repeats itself"
		}
	}

	h.open().work()
	for _, e := range events {
		h.deliver(e)
	}
	h.received(15)
	before := len(h.notify.Accepted())
	rdb := h.rdb()
	if err := rdb.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	h.recover("first")
	h.recover("second") // there is nothing left to find

	got := h.notify.Accepted()
	references := once(t, got)
	for reference, what := range want {
		if !references[reference] {
			t.Errorf("%s is not answered: %s", what, reference)
		}
	}
	for _, m := range got {
		if _, wanted := want[m.Reference]; !wanted {
			t.Errorf("%s to %s was not to be sent", m.Reference, m.To)
		}
	}
	if before > 60 {
		t.Errorf("%d messages were out before the wipe: the test shows nothing", before)
	}
	if users, people := h.users(), len(by(got)); users != people-1 { // a sponsor is no user
		t.Errorf("%d users for %d people: %v", users, people, slices.Sorted(maps.Keys(by(got))))
	}
	if text := h.log.String(); !strings.Contains(text, "key=recover-texts-second") || strings.Count(text, "recovered=0") != 2 {
		t.Errorf("the second recovery found something:\n%s", text)
	}
}
