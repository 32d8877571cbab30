package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/govwifi/user-signup/internal/govwifi"
)

const (
	// notifyRetention is how long Notify shows a message, and so may change our copy.
	notifyRetention = 7 * 24 * time.Hour
	// upsertRows keeps a statement below MariaDB's 16 MB even if every body is full.
	upsertRows = 50
	// bodyBytes is what a column of type text holds.
	bodyBytes = 1<<16 - 1
	// copyNotifications names the job in user_signup_progress.
	copyNotifications = "copy-notifications"
)

// SettledBefore is the time before which every notification is stored with its final
// status: up to where the last copy that finished began, or to the oldest message of
// the last 7 days that may still change. Zero if no copy has ever finished.
func (d *DB) SettledBefore(ctx context.Context) (time.Time, error) {
	reached, err := d.reached(ctx, copyNotifications)
	if err != nil {
		return time.Time{}, fmt.Errorf("read how far notifications were copied: %w", err)
	}
	final := govwifi.FinalStatuses()
	var open sql.NullTime
	err = d.row(ctx, "SELECT MIN(created_at) FROM notifications WHERE created_at >= ? AND status NOT IN ("+placeholders(len(final))+")",
		append([]any{d.wholeSecond().Add(-notifyRetention)}, anys(final)...), &open)
	if err != nil {
		return time.Time{}, fmt.Errorf("find the oldest open notification: %w", err)
	}
	if open.Valid && open.Time.Before(reached) {
		return open.Time, nil
	}
	return reached, nil
}

// NoteCopied notes that all notifications up to the given time are stored.
func (d *DB) NoteCopied(ctx context.Context, upTo time.Time) error {
	if err := d.reach(ctx, copyNotifications, upTo); err != nil {
		return fmt.Errorf("note how far notifications were copied: %w", err)
	}
	return nil
}

// notificationColumns is every column but the primary key.
var notificationColumns = []string{"reference", "email_address", "phone_number", "type", "status", "template_version",
	"template_id", "template_uri", "body", "subject", "created_at", "sent_at", "completed_at"}

// UpsertNotifications stores copies in the place of earlier ones; a final status and its
// times stay where the copy was read before the receipt that set them. What is too long for
// its column is cut, since the message itself has been sent: a copy that fails over it
// would lose all the others. Bodies are stored as they come: mask them before.
func (d *DB) UpsertNotifications(ctx context.Context, page []govwifi.Notification) error {
	row := "(" + placeholders(len(notificationColumns)+1) + ")"
	finals := govwifi.FinalStatuses()
	var updates []string
	for _, column := range notificationColumns {
		switch column {
		case "status":
			list := "(" + placeholders(len(finals)) + ")"
			updates = append(updates, "status = IF(status IN "+list+" AND VALUES(status) NOT IN "+list+", status, VALUES(status))")
		case "sent_at", "completed_at":
			updates = append(updates, column+" = COALESCE(VALUES("+column+"), "+column+")")
		default:
			updates = append(updates, column+" = VALUES("+column+")")
		}
	}
	for len(page) > 0 {
		some := page[:min(upsertRows, len(page))]
		page = page[len(some):]
		var values []any
		for _, n := range some {
			values = append(values, notificationRow(n)...)
		}
		statement := "INSERT INTO notifications (id, " + strings.Join(notificationColumns, ", ") + ") VALUES " +
			strings.TrimSuffix(strings.Repeat(row+",", len(some)), ",") +
			" ON DUPLICATE KEY UPDATE " + strings.Join(updates, ", ")
		values = append(append(values, anys(finals)...), anys(finals)...)
		if _, err := d.change(ctx, statement, values...); err != nil {
			return fmt.Errorf("store notifications: %w", err)
		}
	}
	return nil
}

// notificationRow is a notification as its columns hold it (docs/rules.md,
// notifications table).
func notificationRow(n govwifi.Notification) []any {
	return []any{
		n.ID, narrow(n.Reference, 200), narrow(n.EmailAddress, 100), narrow(n.PhoneNumber, 100),
		narrow(n.Type, 6), narrow(n.Status, 20), narrow(n.TemplateVersion, 10), narrow(n.TemplateID, 36),
		narrow(n.TemplateURI, 255), cutBytes(n.Body, bodyBytes), orNull(cutRunes(n.Subject, 255)),
		timeOrNull(n.CreatedAt), timeOrNull(n.SentAt), timeOrNull(n.CompletedAt),
	}
}

// narrow fits a text into a column that may still have MySQL's old three-byte utf8.
func narrow(text string, width int) any {
	return orNull(cutRunes(strings.Map(func(r rune) rune {
		if r > 0xFFFF {
			return utf8.RuneError
		}
		return r
	}, text), width))
}

func cutRunes(text string, width int) string {
	for i := range text {
		if width--; width < 0 {
			return text[:i]
		}
	}
	return text
}

func cutBytes(text string, width int) string {
	if len(text) <= width {
		return text
	}
	for width > 0 && !utf8.RuneStart(text[width]) {
		width--
	}
	return text[:width]
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// timeOrNull drops fractions, which the server would round up.
func timeOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Truncate(time.Second)
}
