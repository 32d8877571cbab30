package job

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// RecoverMail finds mails in the bucket that SES fills whose webhook never reached us, and
// enqueues the jobs that answer them.
type RecoverMail struct{ Recovery }

// Spec leaves an hour for each attempt.
func (RecoverMail) Spec() Spec { return recoverySpec("recover-mail") }

// Key is the run.
func (j RecoverMail) Key() string { return "recover-mail-" + j.Tick }

const (
	// mailAge is how old a mail must be: the Lambda in front of ingest tries three times
	// within 3 minutes.
	mailAge = 15 * time.Minute
	// setupObject is what SES stores when a receipt rule is made: no mail.
	setupObject = "AMAZON_SES_SETUP_NOTIFICATION"
	// mailsAtOnce is how many mails the queue is asked about in one go.
	mailsAtOnce = 500
)

// StoredMail is an object of the mail bucket.
type StoredMail struct {
	Object string
	// At is when SES stored it.
	At time.Time
}

// MailHead is what a stored mail's headers say, as SES's notice would have.
type MailHead struct {
	// From is the From header as written; MailFrom the envelope sender.
	From, MailFrom string
	Verdicts       govwifi.Verdicts
	// Ours says that it went to the sign-up or the sponsor address: the bucket holds
	// other mail too. Sponsor says that it went to the latter.
	Ours, Sponsor bool
}

// RecoverMailHandler lists the bucket, asks the queue for the mails that it knows, and reads
// the headers of the others.
type RecoverMailHandler struct {
	Mail interface {
		// Stored yields the mails stored at or after the given time.
		Stored(ctx context.Context, bucket string, since time.Time) iter.Seq2[StoredMail, error]
		// Head reads a mail's headers; govwifi.ErrNotFound if it has gone,
		// govwifi.ErrUnreadable if they name no sender.
		Head(ctx context.Context, bucket, object string) (MailHead, error)
	}
	Jobs LostJobs
	// Bucket is S3_MAIL_BUCKET; empty means that nothing is looked for.
	Bucket string
	// Count is told how many events were recovered.
	Count func(jobName string, recovered int)
	Pause Pause
	Now   func() time.Time
	Log   *slog.Logger
}

// Handle follows docs/rules.md, Periodic jobs. The job of a mail is the one that ingest
// would have made, with the same key.
func (h RecoverMailHandler) Handle(ctx context.Context, j RecoverMail) error {
	if h.Bucket == "" {
		h.Log.InfoContext(ctx, "lost mail is not looked for: S3_MAIL_BUCKET is not set")
		return nil
	}
	now := h.Now()
	since := j.since(now)
	n, err := h.search(ctx, since, now.Add(-mailAge))
	h.Count(j.Spec().Name, n.recovered)
	h.Log.InfoContext(ctx, "lost mail was looked for", "since", since.UTC().Format(time.RFC3339),
		"mails", n.events, "need_nothing", n.ignored, "recovered", n.recovered, "finished", err == nil)
	if err != nil {
		return fmt.Errorf("recover mail from bucket %s: %w", h.Bucket, err)
	}
	return nil
}

func (h RecoverMailHandler) search(ctx context.Context, since, until time.Time) (n found, err error) {
	pause := once(h.Pause)
	var some []StoredMail
	for mail, err := range h.Mail.Stored(ctx, h.Bucket, since) {
		if err != nil {
			return n, err
		}
		if mail.At.After(until) || messageID(mail.Object) == setupObject {
			continue
		}
		n.events++
		if some = append(some, mail); len(some) == mailsAtOnce {
			if err := h.recover(ctx, pause, some, &n); err != nil {
				return n, err
			}
			some = some[:0]
		}
	}
	return n, h.recover(ctx, pause, some, &n)
}

// once makes a pause that is kept the first time only.
func once(pause Pause) Pause {
	kept := false
	return func(ctx context.Context) error {
		if kept {
			return nil
		}
		kept = true
		return pause(ctx)
	}
}

// messageID is SES's id of a mail, which stores it under this and the rule's prefix, which
// ends with a slash if there is one.
func messageID(object string) string { return object[strings.LastIndexByte(object, '/')+1:] }

// recover goes through some mails. Which of two jobs a mail has is not known before its
// headers are read, so the queue is asked for both.
func (h RecoverMailHandler) recover(ctx context.Context, pause Pause, mails []StoredMail, n *found) error {
	unknown, err := h.unknown(ctx, pause, mails)
	if err != nil {
		return err
	}
	for _, mail := range unknown {
		head, err := h.Mail.Head(ctx, h.Bucket, mail.Object)
		switch {
		case errors.Is(err, govwifi.ErrNotFound), errors.Is(err, govwifi.ErrUnreadable), err == nil && !head.Ours:
			n.ignored++
			continue
		case err != nil:
			return err
		}
		answer := AnswerToMail(SignupEmail{MessageID: EventKey(messageID(mail.Object)), From: head.From, MailFrom: head.MailFrom,
			Verdicts: head.Verdicts, ReceivedAt: mail.At, Recovered: true}, head.Sponsor, h.Bucket, mail.Object)
		if err := h.Jobs.Enqueue(ctx, answer); err != nil {
			return fmt.Errorf("recover an event: %w", err)
		}
		n.recovered++
	}
	return nil
}

// unknown are the mails that have neither job, before the pause and after it.
func (h RecoverMailHandler) unknown(ctx context.Context, pause Pause, mails []StoredMail) ([]StoredMail, error) {
	unknown, err := h.withoutJob(ctx, mails)
	if err != nil || len(unknown) == 0 {
		return nil, err
	}
	if err := pause(ctx); err != nil {
		return nil, fmt.Errorf("wait for jobs that may be under way: %w", err)
	}
	return h.withoutJob(ctx, unknown)
}

// withoutJob asks the queue.
func (h RecoverMailHandler) withoutJob(ctx context.Context, mails []StoredMail) ([]StoredMail, error) {
	var both []Job
	for _, mail := range mails {
		signup := SignupEmail{MessageID: EventKey(messageID(mail.Object))}
		both = append(both, signup, SponsorBatch{SignupEmail: signup})
	}
	missing, err := h.Jobs.Missing(ctx, both)
	if err != nil {
		return nil, err
	}
	lacks := map[string]int{}
	for _, j := range missing {
		lacks[j.Key()]++
	}
	var unknown []StoredMail
	for _, mail := range mails {
		if lacks[EventKey(messageID(mail.Object))] == 2 {
			unknown = append(unknown, mail)
		}
	}
	return unknown, nil
}
