package job

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// tally is a batch in memory.
type tally struct {
	batch   govwifi.Batch
	settled map[int]bool
	err     error
	closed  bool
}

func (f *tally) Open(_ context.Context, b govwifi.Batch) (govwifi.Batch, error) {
	if f.batch.ID == "" {
		f.batch = b
	}
	return f.batch, f.err
}

func (f *tally) Settle(_ context.Context, _ string, guest int, refused bool) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	if f.settled == nil {
		f.settled = map[int]bool{}
	}
	if _, told := f.settled[guest]; !told {
		f.settled[guest] = refused
	}
	return len(f.batch.Guests) - len(f.settled), nil
}

func (f *tally) Outcome(context.Context, string) (govwifi.BatchOutcome, error) {
	o := govwifi.BatchOutcome{Sponsor: f.batch.Sponsor}
	for i, c := range f.batch.Guests {
		if f.settled[i] {
			o.Refused = append(o.Refused, c)
		} else {
			o.Sent = append(o.Sent, c)
		}
	}
	return o, f.err
}

func (f *tally) Close(context.Context, string) error { f.closed = true; return nil }

// enqueued keeps jobs; it takes so many and then fails.
type enqueued struct {
	jobs []Job
	room int
}

func (e *enqueued) Enqueue(_ context.Context, j Job) error {
	if len(e.jobs) == e.room {
		return errors.New("Redis is away")
	}
	e.jobs = append(e.jobs, j)
	return nil
}

// mails is a bucket with one mail.
type mails string

func (m mails) Fetch(context.Context, string, string) (io.ReadCloser, error) {
	if m == "" {
		return nil, govwifi.ErrNotFound
	}
	return io.NopCloser(strings.NewReader(string(m))), nil
}

// lines reads a guest a line, or a "From:".
func lines(mail io.Reader, _ govwifi.Contact) (guests []govwifi.Contact, froms int, err error) {
	text, err := io.ReadAll(mail)
	if string(text) == "too many" {
		return nil, 0, govwifi.ErrTooManyGuests
	}
	for _, line := range strings.Fields(string(text)) {
		if line == "From:" {
			froms++
			continue
		}
		guests = append(guests, govwifi.Contact(line))
	}
	return guests, froms, err
}

func batchHandler(mail mails, t *tally, jobs *enqueued) SponsorBatchHandler {
	return SponsorBatchHandler{AllowList: list("gov.uk"), Mail: mail, Guests: lines, Tally: t, Jobs: jobs, Judge: strict()}
}

func sponsorMail() SponsorBatch {
	return SponsorBatch{SignupEmail: SignupEmail{MessageID: "ses1", From: "Jo <jo@dept.gov.uk>", Verdicts: govwifi.Verdicts{DMARC: "PASS"}}, Bucket: "b", Object: "o"}
}

func TestSponsorBatchInvitesEveryGuest(t *testing.T) {
	t.Parallel()
	jobs := &enqueued{room: 10}
	if err := batchHandler("a@x.uk b@x.uk", &tally{}, jobs).Handle(WithDelivery(t.Context(), Delivery{First: true}), sponsorMail()); err != nil {
		t.Fatal(err)
	}
	want := []Job{
		SponsorInvite{BatchID: "ses1", Sponsor: "Jo <jo@dept.gov.uk>", Contact: "a@x.uk", Guest: 0},
		SponsorInvite{BatchID: "ses1", Sponsor: "Jo <jo@dept.gov.uk>", Contact: "b@x.uk", Guest: 1},
	}
	if diff := cmp.Diff(want, jobs.jobs); diff != "" {
		t.Error(diff)
	}
}

// A batch that was stopped half-way goes on with the guests it began with, under
// the same keys.
func TestSponsorBatchGoesOn(t *testing.T) {
	t.Parallel()
	stored := &tally{}
	first, second := &enqueued{room: 1}, &enqueued{room: 10}
	if err := batchHandler("a@x.uk b@x.uk c@x.uk", stored, first).Handle(t.Context(), sponsorMail()); err == nil || IsPermanent(err) {
		t.Fatalf("error: %v", err)
	}
	if err := batchHandler("z@x.uk", stored, second).Handle(t.Context(), sponsorMail()); err != nil {
		t.Fatal(err)
	}
	if len(second.jobs) != 3 || second.jobs[0].Key() != first.jobs[0].Key() {
		t.Errorf("second delivery: %+v", second.jobs)
	}
}

// A later delivery enqueues what an earlier one may have enqueued, days ago: what the queue has
// forgotten since is asked for at Notify.
func TestLaterDeliveriesMakeJobsThatAsk(t *testing.T) {
	t.Parallel()
	jobs := &enqueued{room: 10}
	if err := batchHandler("a@x.uk", &tally{}, jobs).Handle(WithDelivery(t.Context(), Delivery{}), sponsorMail()); err != nil {
		t.Fatal(err)
	}
	stored := &tally{batch: govwifi.Batch{ID: "ses1", Guests: make([]govwifi.Contact, 1)}}
	invite := SponsorInviteHandler{Users: &people{}, Messages: &outbox{}, Tally: stored, Jobs: jobs, Log: quiet()}
	if err := invite.Handle(WithDelivery(t.Context(), Delivery{}), SponsorInvite{BatchID: "ses1", Contact: "a@x.uk"}); err != nil {
		t.Fatal(err)
	}
	want := []Job{
		SponsorInvite{BatchID: "ses1", Sponsor: "Jo <jo@dept.gov.uk>", Contact: "a@x.uk", Recovered: true},
		SponsorReceipt{BatchID: "ses1", Recovered: true},
	}
	if diff := cmp.Diff(want, jobs.jobs); diff != "" {
		t.Error(diff)
	}
}

func TestSponsorBatchIsNotWorkedOn(t *testing.T) {
	t.Parallel()
	forged := sponsorMail()
	forged.Verdicts = govwifi.Verdicts{DMARC: "FAIL"}
	stranger := sponsorMail()
	stranger.From = "x@example.com"
	nobody := sponsorMail()
	nobody.From = "nobody"
	for name, c := range map[string]struct {
		mail      mails
		job       SponsorBatch
		fails     bool
		permanent bool
		counted   govwifi.Refusal
	}{
		"not on the allow-list": {"a@x.uk", stranger, false, false, govwifi.RefusedSponsor},
		"forged":                {"a@x.uk", forged, false, false, govwifi.RefusedDMARC},
		"two From headers":      {"From: From: a@x.uk", sponsorMail(), false, false, govwifi.RefusedAmbiguous},
		"no guests":             {" ", sponsorMail(), false, false, govwifi.RefusedNoGuests},
		"too many guests":       {"too many", sponsorMail(), true, true, ""},
		"no From":               {"a@x.uk", nobody, true, true, ""},
		"S3 has it not (yet)":   {"", sponsorMail(), true, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			jobs, stored := &enqueued{room: 10}, &tally{}
			var counted govwifi.Refusal
			h := batchHandler(c.mail, stored, jobs)
			h.Judge.Count = func(_ string, why govwifi.Refusal) { counted = why }
			err := h.Handle(t.Context(), c.job)
			if (err != nil) != c.fails || IsPermanent(err) != c.permanent || len(jobs.jobs) != 0 || stored.batch.ID != "" {
				t.Errorf("error %v, jobs %v", err, jobs.jobs)
			}
			if counted != c.counted {
				t.Errorf("counted %q, want %q", counted, c.counted)
			}
		})
	}
}

// Where verdicts are only logged, a mail in doubt is worked on and has one line, whatever
// there is against it.
func TestDoubtsAreLoggedOnce(t *testing.T) {
	t.Parallel()
	forged := sponsorMail()
	forged.Verdicts = govwifi.Verdicts{DMARC: "FAIL"}
	for mail, j := range map[mails]SponsorBatch{"From: a@x.uk": forged, "From: From: a@x.uk": sponsorMail(), "From: From: b@x.uk": forged} {
		var log strings.Builder
		jobs := &enqueued{room: 10}
		h := batchHandler(mail, &tally{}, jobs)
		h.Judge.Verdicts, h.Judge.Log = LogVerdicts, slog.New(slog.NewTextHandler(&log, nil))
		if err := h.Handle(t.Context(), j); err != nil || len(jobs.jobs) != 1 || strings.Count(log.String(), "would be refused") != 1 {
			t.Errorf("%s: error %v, jobs %v, log:\n%s", mail, err, jobs.jobs, &log)
		}
	}
}

func TestSponsorInvite(t *testing.T) {
	t.Parallel()
	refused := Permanent(govwifi.ErrRefused)
	away := errors.New("away")
	for name, c := range map[string]struct {
		contact  govwifi.Contact
		users    people
		sendErr  error
		delivery Delivery
		settled  map[int]bool
		fails    bool
		receipt  bool
	}{
		"sent":                   {contact: "g@x.uk", settled: map[int]bool{1: false}},
		"sent by text":           {contact: "+447700900123", settled: map[int]bool{1: false}},
		"refused by Notify":      {contact: "g@x.uk", sendErr: refused, settled: map[int]bool{1: true}},
		"too long to store":      {contact: "g@x.uk", users: people{err: govwifi.ErrContactTooLong}, settled: map[int]bool{1: true}},
		"Notify away":            {contact: "g@x.uk", sendErr: away, fails: true},
		"MySQL away":             {contact: "g@x.uk", users: people{err: away}, fails: true},
		"Notify away, last try":  {contact: "g@x.uk", sendErr: away, delivery: Delivery{Last: true}, settled: map[int]bool{1: true}, fails: true},
		"our set-up is at fault": {contact: "g@x.uk", sendErr: govwifi.ErrMisconfigured, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			messages, jobs := &outbox{err: c.sendErr}, &enqueued{room: 10}
			stored := &tally{batch: govwifi.Batch{ID: "ses1", Guests: make([]govwifi.Contact, 2)}} // one is left
			h := SponsorInviteHandler{Users: &c.users, Messages: messages, Tally: stored, Jobs: jobs, Log: quiet()}
			err := h.Handle(WithDelivery(t.Context(), c.delivery), SponsorInvite{BatchID: "ses1", Sponsor: "Jo <jo@dept.gov.uk>", Contact: c.contact, Guest: 1})
			if (err != nil) != c.fails || IsPermanent(err) {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(c.settled, stored.settled); diff != "" || len(jobs.jobs) != 0 {
				t.Errorf("jobs %v, settled %s", jobs.jobs, diff)
			}
			for _, m := range messages.sent {
				if m.Reference != "ses1-guest-1" || m.To != c.contact {
					t.Errorf("message %+v", m)
				}
			}
		})
	}
}

// Whoever finds nobody left enqueues the receipt, also on a later delivery of the
// same job: a worker killed between settling and enqueuing leaves no batch hanging.
func TestLastGuestOrdersTheReceipt(t *testing.T) {
	t.Parallel()
	stored := &tally{batch: govwifi.Batch{ID: "ses1", Guests: make([]govwifi.Contact, 1)}}
	full := &enqueued{}
	invite := SponsorInvite{BatchID: "ses1", Sponsor: "jo@dept.gov.uk", Contact: "g@x.uk", Recovered: true}
	h := SponsorInviteHandler{Users: &people{}, Messages: &outbox{}, Tally: stored, Jobs: full, Log: quiet()}
	if err := h.Handle(t.Context(), invite); err == nil {
		t.Fatal("the receipt was not enqueued and nobody knows")
	}
	full.room = 1
	if err := h.Handle(t.Context(), invite); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Job{SponsorReceipt{BatchID: "ses1", Recovered: true}}, full.jobs); diff != "" {
		t.Error(diff)
	}
}

// A guest whose batch Redis has lost comes back: the recovery of the mail opens it again.
func TestLostBatch(t *testing.T) {
	t.Parallel()
	gone := &tally{err: govwifi.ErrNotFound}
	h := SponsorInviteHandler{Users: &people{}, Messages: &outbox{}, Tally: gone, Jobs: &enqueued{}, Log: quiet()}
	if err := h.Handle(t.Context(), SponsorInvite{Sponsor: "jo@dept.gov.uk", Contact: "g@x.uk"}); err == nil || IsPermanent(err) {
		t.Errorf("invite: %v", err)
	}
	if err := (SponsorReceiptHandler{Tally: gone, Messages: &outbox{}}).Handle(t.Context(), SponsorReceipt{BatchID: "ses1"}); !IsPermanent(err) {
		t.Errorf("receipt: %v", err)
	}
}

func TestSponsorReceipt(t *testing.T) {
	t.Parallel()
	guests := []govwifi.Contact{"b@x.uk", "+447700900123", "a@x.uk"}
	for name, c := range map[string]struct {
		guests  []govwifi.Contact
		refused map[int]bool
		want    govwifi.Message
	}{
		"one":     {guests[:1], nil, govwifi.Message{Template: govwifi.SponsorConfirmationSingular, Personalisation: map[string]string{"contact": "b@x.uk"}}},
		"several": {guests, nil, govwifi.Message{Template: govwifi.SponsorConfirmationPlural, Personalisation: map[string]string{"number_of_accounts": "3", "contacts": "b@x.uk\r\n+447700900123\r\na@x.uk"}}},
		"refused": {guests, map[int]bool{0: true, 2: true}, govwifi.Message{Template: govwifi.SponsorConfirmationFailed, Personalisation: map[string]string{"failedSponsees": "* b@x.uk\n* a@x.uk"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stored := &tally{batch: govwifi.Batch{ID: "ses1", Sponsor: "Jo <jo@dept.gov.uk>", Guests: c.guests}, settled: c.refused}
			messages := &outbox{}
			if err := (SponsorReceiptHandler{Tally: stored, Messages: messages}).Handle(t.Context(), SponsorReceipt{BatchID: "ses1"}); err != nil {
				t.Fatal(err)
			}
			c.want.To, c.want.Reference, c.want.ReplyTo = "jo@dept.gov.uk", "ses1-receipt", govwifi.DoNotReply
			if diff := cmp.Diff([]govwifi.Message{c.want}, messages.sent); diff != "" || !stored.closed {
				t.Errorf("closed %v\n%s", stored.closed, diff)
			}
		})
	}
}
