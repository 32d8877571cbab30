package journeys

import (
	"strings"
	"testing"
	"time"
)

// line waits for a log line that holds all the words, and returns it.
func (h *house) line(words ...string) string {
	h.t.Helper()
	found := ""
	h.await(strings.Join(words, " "), func() bool {
		for line := range strings.Lines(h.log.String()) {
			holds := true
			for _, word := range words {
				holds = holds && strings.Contains(line, word)
			}
			if holds {
				found = line
			}
		}
		return found != ""
	})
	return found
}

// One id leads from the webhook's line to its job's, and to those of the jobs that come
// of it.
func TestTrace(t *testing.T) {
	h := newHouse(t).open().work()
	const id = "Root=1-67891233-abcdef012345678912345678"
	event := h.world.Text("447700900123", "Go").With("X-Amzn-Trace-Id", id)
	h.deliver(event)
	for _, words := range [][]string{{"msg=request", "path=/user-signup/sms-notification/notify", "status=200"}, {"msg=queued", "key=" + event.ID}, {"msg=job", "key=" + event.ID, "outcome=done"}} {
		h.line(append(words, `trace="`+id+`"`)...)
	}
	const other = "Root=1-67891234-abcdef012345678912345678"
	h.deliver(h.mail("Jo <jo@dept.gov.uk>", sponsor, "a@example.com\r\nb@example.com").With("X-Amzn-Trace-Id", other))
	for _, name := range []string{"sponsor-batch", "sponsor-invite", "sponsor-receipt"} {
		h.line("msg=job", "job="+name, "outcome=done", `trace="`+other+`"`)
	}
}

// A delivery receipt ends in the row of its message, and in no log in the clear.
func TestDeliveryReceipt(t *testing.T) {
	h := newHouse(t).open().work()
	h.deliver(h.world.Text("447700900123", "Go"))
	message := h.received(1)[0]
	completed := time.Date(2026, 11, 22, 12, 0, 2, 0, time.UTC)
	late := h.world.Receipt(message.ID, message.Reference, "delivered", completed)
	h.deliver(late)
	h.line("msg=job", "job=record-delivery", "outcome=done", "delivered")
	h.deliver(late)
	h.deliver(h.world.Receipt(message.ID, message.Reference, "temporary-failure", completed.Add(-time.Minute)))
	h.line("msg=job", "job=record-delivery", "outcome=done", "temporary-failure")
	var status, reference string
	var rows int
	err := h.db.QueryRowContext(t.Context(), "SELECT COUNT(*), MAX(status), MAX(reference) FROM notifications WHERE id = ?", message.ID).Scan(&rows, &status, &reference)
	if err != nil || rows != 1 || status != "delivered" || reference != message.Reference {
		t.Errorf("%d rows, %s, %s, %v", rows, status, reference, err)
	}
	if n := strings.Count(h.log.String(), "a message was delivered or not"); n != 1 {
		t.Errorf("counted %d times", n)
	}
	if strings.Contains(h.log.String(), "7700900123") {
		t.Error("a number in the clear in the log")
	}
}
