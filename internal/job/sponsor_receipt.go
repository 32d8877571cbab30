package job

import (
	"context"
	"errors"
	"fmt"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// SponsorReceipt tells the sponsor what became of the guests.
type SponsorReceipt struct {
	BatchID string `json:"batch_id"`
	// Recovered is as in SponsorInvite.
	Recovered bool `json:"recovered,omitempty"`
}

// Spec keeps trying for a day.
func (SponsorReceipt) Spec() Spec {
	return Spec{Name: "sponsor-receipt", Queue: Batch, Timeout: messageTimeout, Patience: wholeDay}
}

// Key names the batch: however many guests are settled at once, there is one receipt.
func (j SponsorReceipt) Key() string { return j.BatchID + "-receipt" }

// Label names the batch; the sponsor is known to the tally alone.
func (j SponsorReceipt) Label() string { return "batch: " + j.BatchID }

// WasRecovered is the payload's own word.
func (j SponsorReceipt) WasRecovered() bool { return j.Recovered }

// SponsorReceiptHandler sends the receipt.
type SponsorReceiptHandler struct {
	Tally interface {
		// Outcome is what became of the batch's guests; govwifi.ErrNotFound once
		// it has expired.
		Outcome(ctx context.Context, batchID string) (govwifi.BatchOutcome, error)
		// Close ends the watch over the batch.
		Close(ctx context.Context, batchID string) error
	}
	Messages Messages
}

// Handle follows docs/rules.md, Sponsor sign-up.
func (h SponsorReceiptHandler) Handle(ctx context.Context, j SponsorReceipt) error {
	outcome, err := h.Tally.Outcome(ctx, j.BatchID)
	if errors.Is(err, govwifi.ErrNotFound) {
		return Permanent(fmt.Errorf("read the tally: the batch expired 7 days after its mail: %w", err))
	}
	if err != nil {
		return fmt.Errorf("read the tally: %w", err)
	}
	sponsor, err := govwifi.ParseEmail(outcome.Sponsor)
	if err != nil {
		return Permanent(fmt.Errorf("read the sponsor's From header: %w", err))
	}
	message := govwifi.SponsorReceipt(sponsor, outcome.Sent, outcome.Refused)
	message.Reference = j.Key()
	if err := h.Messages.Send(ctx, message); err != nil {
		return err
	}
	return h.Tally.Close(ctx, j.BatchID)
}
