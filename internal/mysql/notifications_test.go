package mysql

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

func notification(id, status string, created time.Time) govwifi.Notification {
	return govwifi.Notification{ID: id, Reference: "ref", EmailAddress: "a@x.uk", Type: "email", Status: status, TemplateVersion: "3",
		TemplateID: "tid", TemplateURI: "https://x", Body: "Hello", Subject: "Hi", CreatedAt: created}
}

func upsert(t *testing.T, b bundle, page ...govwifi.Notification) {
	t.Helper()
	if err := b.UpsertNotifications(t.Context(), page); err != nil {
		t.Fatal(err)
	}
}

func TestUpsertNotifications(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sent := notification("1", "sending", now)
	sent.SentAt = now
	upsert(t, b, sent, notification("2", "created", now))
	sent.Status, sent.CompletedAt = "permanent-failure", now.Add(time.Minute)
	upsert(t, b, sent)
	got := query(t, b.raw, "SELECT id, reference, email_address, phone_number, type, status, template_version, template_id, template_uri, body, subject, CAST(created_at AS char), CAST(sent_at AS char), CAST(completed_at AS char) FROM notifications ORDER BY id")
	want := "1\tref\ta@x.uk\tNULL\temail\tpermanent-failure\t3\ttid\thttps://x\tHello\tHi\t2026-02-03 04:05:06\t2026-02-03 04:05:06\t2026-02-03 04:06:06\n" +
		"2\tref\ta@x.uk\tNULL\temail\tcreated\t3\ttid\thttps://x\tHello\tHi\t2026-02-03 04:05:06\tNULL\tNULL"
	if got != want {
		t.Errorf("rows are\n%s\nwant\n%s", got, want)
	}
}

// A page of the most that Notify gives, all longer than the columns; in Ruby's table,
// whose utf8 has three bytes, too.
func TestUpsertCutsToTheColumns(t *testing.T) {
	t.Parallel()
	for name, before := range map[string][]string{"ours": nil, "Ruby's": rubyTables[2:3]} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, before...)
			long := strings.Repeat("é😀", 20_000)
			var page []govwifi.Notification
			for i := range 250 {
				page = append(page, govwifi.Notification{ID: fmt.Sprint(i), Reference: long, EmailAddress: long, PhoneNumber: long,
					Type: "letter-x", Status: long, TemplateVersion: long, TemplateID: long, TemplateURI: long, Body: long, Subject: long, CreatedAt: now})
			}
			upsert(t, b, page...)
			got := query(t, b.raw, "SELECT DISTINCT char_length(reference), char_length(email_address), char_length(phone_number), type, char_length(status), char_length(template_version), char_length(template_id), char_length(template_uri), length(body), char_length(subject) FROM notifications")
			if want := "200\t100\t100\tletter\t20\t10\t36\t255\t65534\t255"; got != want {
				t.Errorf("widths are %s, want %s", got, want)
			}
			if got := query(t, b.raw, "SELECT COUNT(*), MAX(LEFT(subject, 2) = 'é😀'), MAX(LEFT(reference, 2)) FROM notifications"); got != "250\t1\té\uFFFD" {
				t.Errorf("rows are %s", got)
			}
		})
	}
}

func TestSettledBefore(t *testing.T) {
	t.Parallel()
	b := setup(t)
	check := func(when string, want time.Time) {
		t.Helper()
		if got, err := b.SettledBefore(t.Context()); err != nil || !got.Equal(want) {
			t.Errorf("%s: settled before %s, %v, want %s", when, got, err, want)
		}
	}
	day := 24 * time.Hour
	upsert(t, b, notification("1", "delivered", now))
	check("no copy has finished", time.Time{})
	if err := b.NoteCopied(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	check("all are final", now)
	upsert(t, b, notification("2", "sending", now.Add(time.Hour)), notification("3", "sending", now.Add(-8*day)),
		notification("4", "temporary-failure", now.Add(-3*day)))
	check("the only open ones are newer, or older than Notify remembers", now)
	upsert(t, b, notification("5", "pending", now.Add(-2*day)))
	check("one of the last days is open", now.Add(-2*day).Truncate(time.Second))
	upsert(t, b, notification("5", "delivered", now.Add(-2*day)))
	if err := b.NoteCopied(t.Context(), now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	check("the next copy has finished", now.Add(time.Hour).Truncate(time.Second))
}
