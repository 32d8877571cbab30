package job

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// RecordDelivery notes what became of a message, as GOV.UK Notify reported it
// (docs/facts.md, B2). The recipient's contact, which Notify repeats, is not in it.
type RecordDelivery struct {
	// NotificationID is Notify's id of the message.
	NotificationID string `json:"notification_id"`
	// Reference is the key of the job that sent it; empty for a message that was not
	// ours.
	Reference string `json:"reference"`
	// Type is email or sms.
	Type            string `json:"type"`
	Status          string `json:"status"`
	TemplateID      string `json:"template_id"`
	TemplateVersion string `json:"template_version"`
	// The times are zero where Notify gave none.
	CreatedAt   time.Time `json:"created_at"`
	SentAt      time.Time `json:"sent_at"`
	CompletedAt time.Time `json:"completed_at"`
}

// Spec keeps trying for a day; after that copy-notifications reads the same from Notify.
func (RecordDelivery) Spec() Spec {
	return Spec{Name: "record-delivery", Queue: Maintenance, Timeout: messageTimeout, Patience: wholeDay}
}

// Key tells a receipt that comes twice from a later one about the same message. The
// prefix keeps it apart from the keys of messages.
func (j RecordDelivery) Key() string {
	key := "delivery-" + j.NotificationID + "-" + j.Status
	if !j.CompletedAt.IsZero() {
		key += "-" + j.CompletedAt.UTC().Format("20060102T150405.000000")
	}
	return key
}

// Label is the message and its status.
func (j RecordDelivery) Label() string {
	return "message: " + j.NotificationID + ", status: " + j.Status
}

// WasRecovered is false: a lost receipt is not looked for, as Notify's records are copied
// every day.
func (RecordDelivery) WasRecovered() bool { return false }

// RecordDeliveryHandler keeps the notifications table up to date between two copies.
type RecordDeliveryHandler struct {
	Store interface {
		// RecordDelivery stores a receipt unless a later one is stored, and says
		// whether the message's status is another now.
		RecordDelivery(ctx context.Context, n govwifi.Notification) (changed bool, err error)
	}
	Templates interface {
		// TemplateName is the template with that id, empty if it is none of ours.
		TemplateName(ctx context.Context, id string) (govwifi.Template, error)
	}
	// Count is told of each message whose status changed; an empty template is
	// unknown.
	Count func(status string, t govwifi.Template)
	Log   *slog.Logger
}

// Handle stores the receipt and counts it, once however often it comes.
func (h RecordDeliveryHandler) Handle(ctx context.Context, j RecordDelivery) error {
	changed, err := h.Store.RecordDelivery(ctx, govwifi.Notification{
		ID: j.NotificationID, Reference: j.Reference, Type: j.Type, Status: j.Status, TemplateID: j.TemplateID,
		TemplateVersion: j.TemplateVersion, CreatedAt: j.CreatedAt, SentAt: j.SentAt, CompletedAt: j.CompletedAt,
	})
	if err != nil {
		return fmt.Errorf("record the delivery of message %s: %w", j.NotificationID, err)
	}
	if !changed {
		return nil
	}
	// The receipt is stored: it is not worth another attempt to know its template.
	template, err := h.Templates.TemplateName(ctx, j.TemplateID)
	if err != nil {
		h.Log.WarnContext(ctx, "the template of a delivered message is unknown", "err", err)
	}
	h.Count(j.Status, template)
	h.Log.InfoContext(ctx, "a message was delivered or not", "status", j.Status, "template", string(template), "reference", j.Reference)
	return nil
}
