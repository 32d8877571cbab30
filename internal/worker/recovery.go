package worker

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/queue"
	"github.com/govwifi/user-signup/internal/s3"
	"github.com/govwifi/user-signup/internal/sns"
)

// recovery registers the handlers of the jobs that look for lost events.
func (c Config) recovery(w *queue.Worker, p *parts, log *slog.Logger) {
	queue.Handle(w, job.RecoverTextsHandler{Notify: notifyRecords{p.notify}, Jobs: p.jobs, Count: p.found.Add, Pause: c.RecoveryPause.wait, Now: time.Now, Log: log}.Handle)
	queue.Handle(w, job.RecoverMailHandler{Mail: storedMail{p.store}, Jobs: p.jobs, Bucket: c.S3.MailBucket, Count: p.found.Add, Pause: c.RecoveryPause.wait, Now: time.Now, Log: log}.Handle)
}

// wait is job.Pause.
func (d Pause) wait(ctx context.Context) error {
	timer := time.NewTimer(cmp.Or(time.Duration(d), job.RecoveryPause))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ReceivedTextPage is a page of received texts, newest first.
func (n notifyRecords) ReceivedTextPage(ctx context.Context, olderThan string) ([]job.Text, error) {
	page, err := n.ReceivedTexts(ctx, olderThan)
	if err != nil {
		return nil, err
	}
	texts := make([]job.Text, len(page))
	for i, t := range page {
		texts[i] = job.Text{MessageID: t.ID, Number: t.UserNumber, Destination: t.NotifyNumber, Text: t.Content, ReceivedAt: t.CreatedAt}
	}
	return texts, nil
}

// storedMail is the mail bucket, in the words of the job that searches it.
type storedMail struct{ *s3.Store }

// Stored yields the mails stored at or after the given time.
func (m storedMail) Stored(ctx context.Context, bucket string, since time.Time) iter.Seq2[job.StoredMail, error] {
	return func(yield func(job.StoredMail, error) bool) {
		for object, err := range m.List(ctx, bucket, since) {
			if !yield(job.StoredMail{Object: object.Key, At: object.Modified}, err) {
				return
			}
		}
	}
}

// Head reads what a mail's headers say.
func (m storedMail) Head(ctx context.Context, bucket, object string) (job.MailHead, error) {
	head, err := m.Store.Head(ctx, bucket, object)
	if err != nil {
		return job.MailHead{}, err
	}
	receipt, err := sns.ReadStored(head)
	if err != nil {
		return job.MailHead{}, fmt.Errorf("%w: %w", govwifi.ErrUnreadable, err)
	}
	if _, err := govwifi.ParseEmail(receipt.From); err != nil {
		return job.MailHead{}, fmt.Errorf("%w: the From header %w", govwifi.ErrUnreadable, err)
	}
	return job.MailHead{From: receipt.From, MailFrom: receipt.MailFrom, Verdicts: govwifi.Verdicts(receipt.Verdicts),
		Ours: receipt.Ours(), Sponsor: receipt.Sponsor()}, nil
}
