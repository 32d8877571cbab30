package ingest

import (
	"encoding/json"
	"regexp"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/govwifi/user-signup/internal/job"
)

// deliveryReceipt is what GOV.UK Notify posts when it knows what became of a message
// (docs/facts.md, B2). The recipient, in "to", is not read.
type deliveryReceipt struct {
	ID              *string `json:"id"`
	Reference       string  `json:"reference"`
	Status          *string `json:"status"`
	Type            string  `json:"notification_type"`
	TemplateID      string  `json:"template_id"`
	TemplateVersion int     `json:"template_version"`
	CreatedAt       string  `json:"created_at"`
	SentAt          string  `json:"sent_at"`
	CompletedAt     string  `json:"completed_at"`
}

// statusShape is what Notify's statuses look like; the longest has 17 letters. One that
// we do not know is stored all the same.
var statusShape = regexp.MustCompile(`^[a-z][a-z-]{0,19}$`)

// idLength is what the notifications table has room for.
const idLength = 36

// delivery takes a delivery receipt from GOV.UK Notify.
func (d *Door) delivery(c echo.Context, text []byte) error {
	var in deliveryReceipt
	if err := json.Unmarshal(text, &in); err != nil {
		return badRequest("the body is no JSON object with texts in id and status")
	}
	if in.ID == nil || in.Status == nil || len(*in.ID) > idLength || job.EventKey(*in.ID) != *in.ID || !statusShape.MatchString(*in.Status) {
		return badRequest("id and status must be there, as GOV.UK Notify writes them")
	}
	return d.accept(c, job.RecordDelivery{
		NotificationID: *in.ID, Reference: in.Reference, Type: in.Type, Status: *in.Status,
		TemplateID: in.TemplateID, TemplateVersion: version(in.TemplateVersion),
		CreatedAt: moment(in.CreatedAt), SentAt: moment(in.SentAt), CompletedAt: moment(in.CompletedAt),
	})
}

func version(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// moment reads one of Notify's times. One that it does not give, or that we cannot read,
// is zero: the status is worth more than its time.
func moment(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
