package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// SponsorBatch reads a sponsor's mail and invites every guest in it.
type SponsorBatch struct {
	SignupEmail
	// Bucket and Object say where SES put the mail.
	Bucket string `json:"bucket"`
	Object string `json:"key"`
}

// Spec keeps trying for a day; reading a 40 MB mail takes longer than a message.
func (SponsorBatch) Spec() Spec {
	return Spec{Name: "sponsor-batch", Queue: Batch, Timeout: 5 * time.Minute, Patience: wholeDay}
}

// Enqueuer is how a handler starts further jobs: one job, one message.
type Enqueuer interface {
	// Enqueue returns nil also if a job with the same key was enqueued before.
	Enqueue(ctx context.Context, j Job) error
}

// SponsorBatchHandler enqueues an invitation for each guest. The list of guests is
// stored before the first is enqueued and read back on every later delivery, so a
// batch that was killed half-way goes on with the same guests.
type SponsorBatchHandler struct {
	AllowList interface {
		Allows(ctx context.Context, c govwifi.Contact) (bool, error)
	}
	Mail interface {
		// Fetch opens a stored mail; govwifi.ErrNotFound if there is none.
		Fetch(ctx context.Context, bucket, object string) (io.ReadCloser, error)
	}
	// Guests reads the guests out of a raw mail, and counts its From headers;
	// govwifi.ErrTooManyGuests.
	Guests func(mail io.Reader, sponsor govwifi.Contact) (guests []govwifi.Contact, froms int, err error)
	Tally  interface {
		// Open stores a new batch. One that is open already is returned as it was
		// stored.
		Open(ctx context.Context, b govwifi.Batch) (govwifi.Batch, error)
	}
	Jobs  Enqueuer
	Judge Judge
}

// Handle follows docs/rules.md, Sponsor sign-up.
func (h SponsorBatchHandler) Handle(ctx context.Context, j SponsorBatch) error {
	sponsor, err := govwifi.ParseEmail(j.From)
	if err != nil {
		return Permanent(fmt.Errorf("read the From header: %w", err))
	}
	allowed, err := h.AllowList.Allows(ctx, sponsor)
	if err != nil {
		return fmt.Errorf("look up %s in the allow-list: %w", sponsor, err)
	}
	if !allowed {
		h.Judge.refuse(ctx, j, govwifi.RefusedSponsor)
		return nil
	}
	doubt := j.Verdicts.RefuseSponsor(j.From, j.MailFrom)
	if h.Judge.doubts(ctx, j, doubt) {
		return nil
	}
	guests, froms, err := h.read(ctx, j, sponsor)
	if err != nil {
		return err
	}
	// SES's notice, of which From is, holds the first 10 KB of the mail's headers.
	if doubt == "" && froms > 1 && h.Judge.doubts(ctx, j, govwifi.RefusedAmbiguous) {
		return nil
	}
	if len(guests) == 0 {
		h.Judge.refuse(ctx, j, govwifi.RefusedNoGuests)
		return nil
	}
	batch, err := h.Tally.Open(ctx, govwifi.Batch{ID: j.Key(), Sponsor: j.From, Guests: guests})
	if err != nil {
		return fmt.Errorf("store the list of guests: %w", err)
	}
	for i := range batch.Guests {
		if err := h.Jobs.Enqueue(ctx, InviteGuest(batch, i, asksFirst(ctx, j.Recovered))); err != nil {
			return fmt.Errorf("invite guest %d of %d: %w", i+1, len(batch.Guests), err)
		}
	}
	return nil
}

func (h SponsorBatchHandler) read(ctx context.Context, j SponsorBatch, sponsor govwifi.Contact) (guests []govwifi.Contact, froms int, err error) {
	mail, err := h.Mail.Fetch(ctx, j.Bucket, j.Object)
	if err != nil {
		return nil, 0, fmt.Errorf("fetch the sponsor's mail: %w", err)
	}
	defer func() { _ = mail.Close() }() // it has been read; there is nothing to lose
	guests, froms, err = h.Guests(mail, sponsor)
	switch {
	case errors.Is(err, govwifi.ErrTooManyGuests):
		return nil, 0, Permanent(err)
	case err != nil:
		return nil, 0, fmt.Errorf("read the sponsor's mail: %w", err)
	}
	return guests, froms, nil
}
