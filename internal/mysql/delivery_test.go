package mysql

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

func receipt(status string, completed time.Time) govwifi.Notification {
	return govwifi.Notification{ID: "740e", Reference: "ref", Type: "sms", Status: status, TemplateID: "tid", TemplateVersion: "3",
		CreatedAt: now, SentAt: now.Add(time.Second), CompletedAt: completed}
}

// Receipts come twice and out of order; a final status is left for a later one only.
func TestRecordDelivery(t *testing.T) {
	t.Parallel()
	early, late := now.Add(time.Minute), now.Add(time.Hour)
	copied := notification("740e", "sending", now)
	settled := notification("740e", "delivered", now)
	settled.CompletedAt = early
	for name, c := range map[string]struct {
		stored   []govwifi.Notification
		receipts []govwifi.Notification
		changed  []bool
		want     string
	}{
		"before its copy": {nil, []govwifi.Notification{receipt("delivered", early)}, []bool{true},
			"ref\tNULL\tsms\tdelivered\t3\ttid\t2026-02-03 04:05:06\t2026-02-03 04:05:07\t2026-02-03 04:06:06"},
		"after its copy": {[]govwifi.Notification{copied}, []govwifi.Notification{receipt("delivered", early)}, []bool{true},
			"ref\ta@x.uk\temail\tdelivered\t3\ttid\t2026-02-03 04:05:06\t2026-02-03 04:05:07\t2026-02-03 04:06:06"},
		"of a row that its reference alone finds": {[]govwifi.Notification{notification("other", "sending", now)}, []govwifi.Notification{receipt("delivered", early), receipt("sending", late)}, []bool{true, false},
			"ref\ta@x.uk\temail\tdelivered\t3\ttid\t2026-02-03 04:05:06\t2026-02-03 04:05:07\t2026-02-03 04:06:06"},
		"twice": {[]govwifi.Notification{copied}, []govwifi.Notification{receipt("delivered", early), receipt("delivered", early)}, []bool{true, false},
			"ref\ta@x.uk\temail\tdelivered\t3\ttid\t2026-02-03 04:05:06\t2026-02-03 04:05:07\t2026-02-03 04:06:06"},
		"known from its copy": {[]govwifi.Notification{settled}, []govwifi.Notification{receipt("delivered", early)}, []bool{false},
			"ref\ta@x.uk\temail\tdelivered\t3\ttid\t2026-02-03 04:05:06\tNULL\t2026-02-03 04:06:06"},
		"in order": {nil, []govwifi.Notification{receipt("temporary-failure", early), receipt("delivered", late)}, []bool{true, true},
			"ref\tNULL\tsms\tdelivered\t3\ttid\t2026-02-03 04:05:06\t2026-02-03 04:05:07\t2026-02-03 05:05:06"},
		"out of order": {nil, []govwifi.Notification{receipt("delivered", late), receipt("temporary-failure", early)}, []bool{true, false},
			"ref\tNULL\tsms\tdelivered\t3\ttid\t2026-02-03 04:05:06\t2026-02-03 04:05:07\t2026-02-03 05:05:06"},
		"not final after final": {nil, []govwifi.Notification{receipt("delivered", early), receipt("sending", late)}, []bool{true, false},
			"ref\tNULL\tsms\tdelivered\t3\ttid\t2026-02-03 04:05:06\t2026-02-03 04:05:07\t2026-02-03 04:06:06"},
		"final without a time, after one with": {nil, []govwifi.Notification{receipt("delivered", early), receipt("technical-failure", time.Time{})}, []bool{true, false},
			"ref\tNULL\tsms\tdelivered\t3\ttid\t2026-02-03 04:05:06\t2026-02-03 04:05:07\t2026-02-03 04:06:06"},
		"final with a time, after one without": {nil, []govwifi.Notification{receipt("technical-failure", time.Time{}), receipt("delivered", early)}, []bool{true, true},
			"ref\tNULL\tsms\tdelivered\t3\ttid\t2026-02-03 04:05:06\t2026-02-03 04:05:07\t2026-02-03 04:06:06"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			upsert(t, b, c.stored...)
			for i, r := range c.receipts {
				if changed, err := b.RecordDelivery(t.Context(), r); changed != c.changed[i] || err != nil {
					t.Errorf("receipt %d: changed %v, %v", i, changed, err)
				}
			}
			got := query(t, b.raw, "SELECT reference, email_address, type, status, template_version, template_id, CAST(created_at AS char), CAST(sent_at AS char), CAST(completed_at AS char) FROM notifications")
			if got != c.want {
				t.Errorf("the row is\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// The copy fills in what a receipt did not know, and takes nothing back: it may have
// been read from Notify before the receipt was written.
func TestCopyAfterReceipt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.RecordDelivery(t.Context(), receipt("delivered", now.Add(time.Minute))); err != nil {
		t.Fatal(err)
	}
	upsert(t, b, notification("740e", "sending", now))
	got := query(t, b.raw, "SELECT status, CAST(sent_at AS char), CAST(completed_at AS char), email_address, body FROM notifications")
	if want := "delivered\t2026-02-03 04:05:07\t2026-02-03 04:06:06\ta@x.uk\tHello"; got != want {
		t.Errorf("the row is %s, want %s", got, want)
	}
	upsert(t, b, notification("740e", "permanent-failure", now))
	if got := query(t, b.raw, "SELECT status FROM notifications"); got != "permanent-failure" {
		t.Errorf("the copy's own final status is lost: %s", got)
	}
}

// Receipts of one message that meet before it has a row: one row, the latest status, and
// each change is counted by one of them.
func TestRecordDeliveryAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var wait sync.WaitGroup
	var changes atomic.Int64
	for id := range 50 {
		for _, r := range []govwifi.Notification{receipt("temporary-failure", now.Add(time.Minute)), receipt("delivered", now.Add(time.Hour)), receipt("delivered", now.Add(time.Hour))} {
			r.ID, r.Reference = fmt.Sprint(id), fmt.Sprint("ref", id)
			wait.Go(func() {
				changed, err := b.RecordDelivery(t.Context(), r)
				if err != nil {
					t.Error(err)
				}
				if changed && r.Status == "delivered" {
					changes.Add(1)
				}
			})
		}
	}
	wait.Wait()
	if got := query(t, b.raw, "SELECT COUNT(*), MIN(status), MAX(status) FROM notifications"); got != "50\tdelivered\tdelivered" || changes.Load() != 50 {
		t.Errorf("rows and statuses are %s, changed %d times", got, changes.Load())
	}
}
