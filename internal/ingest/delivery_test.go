package ingest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/govwifi/user-signup/internal/job"
)

const (
	deliveryPath = "/user-signup/delivery-receipt/notify"
	delivered    = `{"id":"740e5834-3a29-46b4-9a6f-16142fde533a","reference":"b51f638b-0000-4000-8000-000000000001","to":"+447700900123","status":"delivered",
		"created_at":"2026-11-22T12:00:00.000000Z","completed_at":"2026-11-22T12:00:02.500000Z","sent_at":"2026-11-22T12:00:01.000000Z",
		"notification_type":"sms","template_id":"f33517ff-2a88-4f6e-b855-c550268ce08a","template_version":3}`
)

func (h *house) receipt(body string) (int, string) {
	h.t.Helper()
	status, answer, _ := h.post(deliveryPath, body, "Authorization", "Bearer "+token, "Content-Type", "application/json")
	return status, answer
}

func TestReceiptBecomesItsJob(t *testing.T) {
	const id = "740e5834-3a29-46b4-9a6f-16142fde533a"
	for name, c := range map[string]struct {
		body string
		want job.RecordDelivery
	}{
		"all fields": {delivered, job.RecordDelivery{NotificationID: id, Reference: "b51f638b-0000-4000-8000-000000000001", Type: "sms",
			Status: "delivered", TemplateID: "f33517ff-2a88-4f6e-b855-c550268ce08a", TemplateVersion: "3",
			CreatedAt: noon, SentAt: noon.Add(time.Second), CompletedAt: noon.Add(2500 * time.Millisecond)}},
		"null where it may be": {`{"id":"` + id + `","reference":null,"to":null,"status":"technical-failure","created_at":null,"completed_at":null,"sent_at":null,
			"notification_type":null,"template_id":null,"template_version":null}`, job.RecordDelivery{NotificationID: id, Status: "technical-failure"}},
		"the least":                {`{"id":"` + id + `","status":"some-new-status"}`, job.RecordDelivery{NotificationID: id, Status: "some-new-status"}},
		"a time that nobody reads": {`{"id":"` + id + `","status":"delivered","completed_at":"yesterday"}`, job.RecordDelivery{NotificationID: id, Status: "delivered"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t).open()
			if status, answer := h.receipt(c.body); status != 200 || answer != "" {
				t.Fatalf("%d %q", status, answer)
			}
			if diff := cmp.Diff(job.Job(c.want), h.one()); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(h.log.String(), "7700900123") {
				t.Errorf("a number in the clear: %s", h.log)
			}
		})
	}
}

func TestReceiptIsRefused(t *testing.T) {
	for name, body := range map[string]string{
		"no JSON":            "delivered",
		"empty":              "",
		"an array":           "[]",
		"null":               "null",
		"no id":              `{"status":"delivered"}`,
		"id null":            `{"id":null,"status":"delivered"}`,
		"id empty":           `{"id":"","status":"delivered"}`,
		"id a number":        `{"id":740,"status":"delivered"}`,
		"id a phone number":  `{"id":"+447700900123","status":"delivered"}`,
		"id too long":        `{"id":"` + strings.Repeat("a", 37) + `","status":"delivered"}`,
		"no status":          `{"id":"740e"}`,
		"status null":        `{"id":"740e","status":null}`,
		"status an object":   `{"id":"740e","status":{}}`,
		"status a sentence":  `{"id":"740e","status":"to jo@dept.gov.uk"}`,
		"status too long":    `{"id":"740e","status":"` + strings.Repeat("a", 21) + `"}`,
		"reference a number": `{"id":"740e","status":"delivered","reference":7}`,
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t).open()
			status, answer := h.receipt(body)
			h.refused(400, status, answer)
			if strings.Contains(answer, "7700900123") || strings.Contains(answer, "jo@") {
				t.Errorf("the answer is personal: %s", answer)
			}
		})
	}
}

func TestReceiptNeedsTheToken(t *testing.T) {
	for _, header := range []string{"", "Bearer wrong", token} {
		t.Run(header, func(t *testing.T) {
			h := newHouse(t).open()
			status, answer, _ := h.post(deliveryPath, delivered, "Authorization", header)
			h.refused(401, status, answer)
		})
	}
}

func TestReceiptIsNotQueued(t *testing.T) {
	h := newHouse(t).open()
	h.fault = errors.New("READONLY")
	status, answer := h.receipt(delivered)
	h.refused(503, status, answer)
}

func TestReceiptIsTooLarge(t *testing.T) {
	h := newHouse(t).open()
	status, answer := h.receipt(`{"id":"` + strings.Repeat("x", maxBody) + `"}`)
	h.refused(413, status, answer)
}
