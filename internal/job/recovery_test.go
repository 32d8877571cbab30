package job

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// ledger is a queue that knows some jobs, by queue and key.
type ledger struct {
	known map[string]bool
	jobs  []Job
	err   error
}

func place(j Job) string { return string(j.Spec().Queue) + " " + j.Key() }

func (l *ledger) Missing(_ context.Context, jobs []Job) (missing []Job, err error) {
	for _, j := range jobs {
		if !l.known[place(j)] {
			missing = append(missing, j)
		}
	}
	return missing, l.err
}

func (l *ledger) Enqueue(_ context.Context, j Job) error {
	l.jobs = append(l.jobs, j)
	return nil
}

// paused keeps no pause.
func paused(context.Context) error { return nil }

// inbox is Notify's list of received texts, newest first, in pages of two.
type inbox struct {
	texts []Text
	asked []string
	err   error
	// stuck gives the same page whatever it is asked.
	stuck bool
}

func (b *inbox) ReceivedTextPage(_ context.Context, olderThan string) ([]Text, error) {
	b.asked = append(b.asked, olderThan)
	from := 0
	for i, t := range b.texts {
		if t.MessageID == olderThan && !b.stuck {
			from = i + 1
		}
	}
	return b.texts[from:min(from+2, len(b.texts))], b.err
}

// received is a text of so long before now.
func received(id string, before time.Duration, text string) Text {
	return Text{MessageID: id, Number: "447700900123", Destination: "07537417417", Text: text, ReceivedAt: now.Add(-before)}
}

func recoveredText(id string, before time.Duration, text string) Text {
	t := received(id, before, text)
	t.Number, t.Recovered = "+447700900123", true
	return t
}

func TestRecoverTexts(t *testing.T) {
	t.Parallel()
	strange, own := received("strange", time.Hour, "Go"), received("own", time.Hour, "Go")
	strange.Number, own.Number = "DVLA", "07537 417417"
	for name, c := range map[string]struct {
		since time.Time
		texts []Text
		known map[string]bool
		want  []Job
		log   string
	}{
		"who waited longest first": {texts: []Text{received("c", time.Hour, "help"), received("b", 2*time.Hour, "Go"), received("a", 3*time.Hour, "Go")},
			want: []Job{SignupSMS{recoveredText("a", 3*time.Hour, "Go")}, SignupSMS{recoveredText("b", 2*time.Hour, "Go")},
				HelpSMS{Text: recoveredText("c", time.Hour, "help"), Topic: govwifi.TopicMenu}},
			log: "texts=3 need_nothing=0 recovered=3 finished=true"},
		"Notify may still deliver it": {texts: []Text{received("b", textAge-time.Second, "Go"), received("a", textAge, "Go")},
			want: []Job{SignupSMS{recoveredText("a", textAge, "Go")}}, log: "texts=1 need_nothing=0 recovered=1"},
		"known": {texts: []Text{received("b", time.Hour, "Go"), received("a", 2*time.Hour, "Go")}, known: map[string]bool{"interactive a": true},
			want: []Job{SignupSMS{recoveredText("b", time.Hour, "Go")}}, log: "texts=2 need_nothing=0 recovered=1"},
		"nobody to answer": {texts: []Text{strange, own}, log: "texts=2 need_nothing=2 recovered=0"},
		"a machine": {texts: []Text{received("d", 50*time.Minute, "Go"), received("c", 51*time.Minute, "Go"), received("b", 52*time.Minute, "Go"), received("a", 53*time.Minute, "Go")},
			want: []Job{SignupSMS{recoveredText("a", 53*time.Minute, "Go")}, SignupSMS{recoveredText("b", 52*time.Minute, "Go")}},
			log:  "texts=4 need_nothing=2 recovered=2"},
		"the texts before since count for a machine": {since: now.Add(-time.Hour),
			texts: []Text{received("c", 59*time.Minute, "Go"), received("b", 61*time.Minute, "Go"), received("a", 62*time.Minute, "Go")},
			log:   "texts=1 need_nothing=1 recovered=0"},
		"a day unless told otherwise": {texts: []Text{received("b", LookBack, "Go"), received("a", LookBack+time.Second, "Go")},
			want: []Job{SignupSMS{recoveredText("b", LookBack, "Go")}}, log: "since=2026-11-21T12:00:00Z texts=1"},
		"no further than Notify's memory reaches": {since: now.AddDate(0, 0, -20),
			texts: []Text{received("b", recoveryReach, "Go"), received("a", recoveryReach+time.Second, "Go")},
			want:  []Job{SignupSMS{recoveredText("b", recoveryReach, "Go")}}, log: "since=2026-11-16T12:00:00Z texts=1"},
		"none": {log: "texts=0 need_nothing=0 recovered=0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			queue, counted := &ledger{known: c.known}, 0
			log, out := logTo()
			h := RecoverTextsHandler{Notify: &inbox{texts: c.texts}, Jobs: queue, Pause: paused, Now: func() time.Time { return now }, Log: log,
				Count: func(_ string, n int) { counted += n }}
			if err := h.Handle(t.Context(), RecoverTexts{Recovery{Since: c.since}}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, queue.jobs); diff != "" || counted != len(c.want) {
				t.Errorf("counted %d\n%s", counted, diff)
			}
			if !strings.Contains(out.String(), c.log) {
				t.Errorf("%s\nwant %s", out, c.log)
			}
		})
	}
}

// It reads pages until an empty one or until a text is too old, and not for ever.
func TestRecoverTextsPages(t *testing.T) {
	t.Parallel()
	old := []Text{received("a", time.Hour, "1"), received("b", 2*time.Hour, "2"), received("c", 3*time.Hour, "3"), received("d", 30*time.Hour, "4"), received("e", 31*time.Hour, "5")}
	for name, c := range map[string]struct {
		inbox inbox
		asked []string
		fails bool
	}{
		"until one is too old": {inbox{texts: old}, []string{"", "b"}, false},
		"until an empty page":  {inbox{texts: old[:2]}, []string{"", "b"}, false},
		"not in a circle":      {inbox{texts: old, stuck: true}, []string{"", "b"}, false},
		"Notify is away":       {inbox{err: errors.New("away")}, []string{""}, true},
	} {
		log, _ := logTo()
		h := RecoverTextsHandler{Notify: &c.inbox, Jobs: &ledger{}, Pause: paused, Now: func() time.Time { return now }, Log: log, Count: func(string, int) {}}
		err := h.Handle(t.Context(), RecoverTexts{})
		if diff := cmp.Diff(c.asked, c.inbox.asked); diff != "" || (err != nil) != c.fails {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

// mailBucket holds heads by object.
type mailBucket struct {
	mails []StoredMail
	heads map[string]MailHead
	read  []string
	err   error
}

func (b *mailBucket) Stored(_ context.Context, _ string, since time.Time) iter.Seq2[StoredMail, error] {
	return func(yield func(StoredMail, error) bool) {
		for _, m := range b.mails {
			if !m.At.Before(since) && !yield(m, nil) {
				return
			}
		}
		if b.err != nil {
			yield(StoredMail{}, b.err)
		}
	}
}

func (b *mailBucket) Head(_ context.Context, _, object string) (MailHead, error) {
	b.read = append(b.read, object)
	head, found := b.heads[object]
	switch {
	case strings.HasPrefix(object, "bad"):
		return head, fmt.Errorf("%w: two", govwifi.ErrUnreadable)
	case !found:
		return head, govwifi.ErrNotFound
	}
	return head, nil
}

func TestRecoverMail(t *testing.T) {
	t.Parallel()
	stored := func(object string, before time.Duration) StoredMail { return StoredMail{object, now.Add(-before)} }
	verdicts := govwifi.Verdicts{Spam: "PASS", DMARC: "FAIL"}
	head := MailHead{From: "Jo <jo@dept.gov.uk>", MailFrom: "bounce@dept.gov.uk", Verdicts: verdicts, Ours: true}
	toSponsor, toOthers := head, head
	toSponsor.Sponsor, toOthers.Ours = true, false
	recovered := func(id string, before time.Duration) SignupEmail {
		return SignupEmail{MessageID: id, From: head.From, MailFrom: head.MailFrom, Verdicts: verdicts, ReceivedAt: now.Add(-before), Recovered: true}
	}
	for name, c := range map[string]struct {
		mails []StoredMail
		heads map[string]MailHead
		known map[string]bool
		want  []Job
		read  []string
		log   string
	}{
		"a sign-up and a sponsor, under a prefix": {mails: []StoredMail{stored("a1", time.Hour), stored("mail/b2", 2*time.Hour)},
			heads: map[string]MailHead{"a1": head, "mail/b2": toSponsor}, read: []string{"a1", "mail/b2"},
			want: []Job{recovered("a1", time.Hour), SponsorBatch{recovered("b2", 2*time.Hour), "wifi-emailbucket", "mail/b2"}},
			log:  "mails=2 need_nothing=0 recovered=2 finished=true"},
		"of two kinds, known are not read": {mails: []StoredMail{stored("a", time.Hour), stored("b", time.Hour), stored("c", time.Hour)}, heads: map[string]MailHead{"c": head},
			known: map[string]bool{"interactive a": true, "batch b": true}, read: []string{"c"}, want: []Job{recovered("c", time.Hour)}, log: "mails=3 need_nothing=0 recovered=1"},
		"its notice may still come": {mails: []StoredMail{stored("a", mailAge-time.Second), stored("b", mailAge)}, heads: map[string]MailHead{"a": head, "b": head},
			read: []string{"b"}, want: []Job{recovered("b", mailAge)}, log: "mails=1 need_nothing=0 recovered=1"},
		"too old":              {mails: []StoredMail{stored("a", LookBack+time.Second)}, heads: map[string]MailHead{"a": head}, log: "mails=0"},
		"to another address":   {mails: []StoredMail{stored("a", time.Hour)}, heads: map[string]MailHead{"a": toOthers}, read: []string{"a"}, log: "mails=1 need_nothing=1 recovered=0"},
		"gone, and unreadable": {mails: []StoredMail{stored("bad", time.Hour), stored("gone", time.Hour)}, read: []string{"bad", "gone"}, log: "mails=2 need_nothing=2 recovered=0"},
		"SES's set-up notice":  {mails: []StoredMail{stored("AMAZON_SES_SETUP_NOTIFICATION", time.Hour)}, log: "mails=0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bucket, queue, counted := &mailBucket{mails: c.mails, heads: c.heads}, &ledger{known: c.known}, 0
			log, out := logTo()
			h := RecoverMailHandler{Mail: bucket, Jobs: queue, Bucket: "wifi-emailbucket", Pause: paused, Now: func() time.Time { return now }, Log: log,
				Count: func(_ string, n int) { counted += n }}
			if err := h.Handle(t.Context(), RecoverMail{}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, queue.jobs); diff != "" || counted != len(c.want) {
				t.Errorf("counted %d\n%s", counted, diff)
			}
			if diff := cmp.Diff(c.read, bucket.read); diff != "" || !strings.Contains(out.String(), c.log) {
				t.Errorf("read %s\n%s\nwant %s", diff, out, c.log)
			}
		})
	}
}

// More mails than are asked about in one go are all recovered, and those before an error
// are too.
func TestRecoverManyMails(t *testing.T) {
	t.Parallel()
	bucket := &mailBucket{heads: map[string]MailHead{}, err: errors.New("S3 is away")}
	for i := range 2*mailsAtOnce + 1 {
		object := fmt.Sprintf("m%04d", i)
		bucket.mails = append(bucket.mails, StoredMail{object, now.Add(-time.Hour)})
		bucket.heads[object] = MailHead{From: "jo@dept.gov.uk", Ours: true}
	}
	log, _ := logTo()
	queue := &ledger{}
	h := RecoverMailHandler{Mail: bucket, Jobs: queue, Bucket: "b", Pause: paused, Now: func() time.Time { return now }, Log: log, Count: func(string, int) {}}
	if err := h.Handle(t.Context(), RecoverMail{}); err == nil || len(queue.jobs) != 2*mailsAtOnce {
		t.Errorf("%v after %d mails", err, len(queue.jobs))
	}
	bucket.err, queue.jobs = nil, nil
	if err := h.Handle(t.Context(), RecoverMail{}); err != nil || len(queue.jobs) != 2*mailsAtOnce+1 {
		t.Errorf("%v after %d mails", err, len(queue.jobs))
	}
}

// Without a bucket the job is done, and says which variable would switch it on.
func TestRecoverMailWithoutABucket(t *testing.T) {
	t.Parallel()
	log, out := logTo()
	if err := (RecoverMailHandler{Log: log}).Handle(t.Context(), RecoverMail{}); err != nil || len(logged(out)) != 1 || !strings.Contains(out.String(), "S3_MAIL_BUCKET") {
		t.Errorf("%v, %s", err, out)
	}
}

// A job that comes up while a recovery pauses is not enqueued a second time, and one whose
// pause is broken off has enqueued nothing.
func TestRecoveryPauses(t *testing.T) {
	t.Parallel()
	log, _ := logTo()
	bucket := &mailBucket{heads: map[string]MailHead{"a": {From: "jo@dept.gov.uk", Ours: true}, "b": {From: "jo@dept.gov.uk", Ours: true}},
		mails: []StoredMail{{"a", now.Add(-time.Hour)}, {"b", now.Add(-time.Hour)}}}
	texts := &inbox{texts: []Text{received("b", time.Hour, "1"), received("a", time.Hour, "2")}}
	for name, c := range map[string]struct {
		err  error
		want []string
	}{
		"kept":       {nil, []string{"b"}},
		"broken off": {context.Canceled, nil},
	} {
		for kind, run := range map[string]func(*ledger, Pause) error{
			"texts": func(l *ledger, p Pause) error {
				return RecoverTextsHandler{Notify: texts, Jobs: l, Pause: p, Now: func() time.Time { return now }, Log: log, Count: func(string, int) {}}.Handle(t.Context(), RecoverTexts{})
			},
			"mails": func(l *ledger, p Pause) error {
				return RecoverMailHandler{Mail: bucket, Jobs: l, Bucket: "b", Pause: p, Now: func() time.Time { return now }, Log: log, Count: func(string, int) {}}.Handle(t.Context(), RecoverMail{})
			},
		} {
			queue := &ledger{known: map[string]bool{}}
			err := run(queue, func(context.Context) error { queue.known["interactive a"] = true; return c.err })
			var keys []string
			for _, j := range queue.jobs {
				keys = append(keys, j.Key())
			}
			if diff := cmp.Diff(c.want, keys); diff != "" || !errors.Is(err, c.err) {
				t.Errorf("%s, %s: %v\n%s", kind, name, err, diff)
			}
		}
	}
}

// A job that was done before creates nobody: the admin application may have deleted the
// person since. Nor is the guard asked about a recovered text, which was judged already.
func TestAnsweredBefore(t *testing.T) {
	t.Parallel()
	users, before := &people{}, &outbox{before: true}
	text := recoveredText("id1", time.Hour, "Go")
	mail := SignupEmail{MessageID: "ses1", From: "jo@dept.gov.uk", Recovered: true}
	answerer := TextAnswerer{Guard: guard{err: errors.New("asked")}, Users: users, Messages: before, Log: quiet()}
	if err := (SignupSMSHandler{answerer}).Handle(t.Context(), SignupSMS{text}); err != nil {
		t.Error(err)
	}
	if err := (SignupEmailHandler{AllowList: list("dept.gov.uk"), Users: users, Messages: before, Now: func() time.Time { return now }}).Handle(t.Context(), mail); err != nil {
		t.Error(err)
	}
	if err := (SponsorInviteHandler{Users: users, Messages: before}).invite(t.Context(), SponsorInvite{BatchID: "ses1", Sponsor: "jo@dept.gov.uk", Contact: "g@x.uk"}); err != nil {
		t.Error(err)
	}
	if len(users.made) != 0 || len(before.sent) != 0 {
		t.Errorf("made %v, sent %v", users.made, before.sent)
	}
	answerer.Messages = &outbox{}
	if err := (SignupSMSHandler{answerer}).Handle(t.Context(), SignupSMS{text}); err != nil || len(users.made) != 1 {
		t.Errorf("%v, made %v", err, users.made)
	}
}
