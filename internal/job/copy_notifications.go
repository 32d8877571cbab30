package job

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// CopyNotifications copies GOV.UK Notify's records, which it keeps for 7 days, to our database.
type CopyNotifications struct{ Run }

// Spec leaves an hour for each attempt.
func (CopyNotifications) Spec() Spec { return maintenanceSpec("copy-notifications") }

// Key is the run.
func (j CopyNotifications) Key() string { return "copy-notifications-" + j.Tick }

// CopyNotificationsHandler walks from the newest notification back.
//
// It stops early, but not at the first page that is already stored: an earlier run may
// have been killed half-way, with the newest pages stored and a hole behind them, and
// an old message may have been delivered only now. So it goes back to where the last
// run that finished began, and to the oldest stored message that may still change.
type CopyNotificationsHandler struct {
	Notify interface {
		// NotificationPage is a page, newest first; only an empty one is the last.
		NotificationPage(ctx context.Context, olderThan string) ([]govwifi.Notification, error)
	}
	Store interface {
		// SettledBefore is the time before which every notification is stored with
		// its final status; zero if nothing is known.
		SettledBefore(ctx context.Context) (time.Time, error)
		// UpsertNotifications stores a page, in the place of what was stored before.
		UpsertNotifications(ctx context.Context, page []govwifi.Notification) error
		// NoteCopied notes that all notifications up to the given time are stored.
		NoteCopied(ctx context.Context, upTo time.Time) error
	}
	Log *slog.Logger
}

// Handle follows docs/rules.md, Periodic jobs. Passwords are masked before anything is
// stored.
func (h CopyNotificationsHandler) Handle(ctx context.Context, _ CopyNotifications) error {
	settled, err := h.Store.SettledBefore(ctx)
	if err != nil {
		return fmt.Errorf("copy notifications: %w", err)
	}
	var newest, oldest time.Time
	olderThan, copied := "", 0
	for newest.IsZero() || !oldest.Before(settled) {
		page, err := h.Notify.NotificationPage(ctx, olderThan)
		if err != nil {
			return fmt.Errorf("copy notifications: %w", slower(err))
		}
		if len(page) == 0 {
			break
		}
		if newest.IsZero() {
			newest = page[0].CreatedAt
		}
		last := page[len(page)-1]
		olderThan, oldest = last.ID, last.CreatedAt
		if err := h.Store.UpsertNotifications(ctx, withoutPasswords(page)); err != nil {
			return fmt.Errorf("copy notifications: %w", err)
		}
		copied += len(page)
	}
	if !newest.IsZero() {
		if err := h.Store.NoteCopied(ctx, newest); err != nil {
			return fmt.Errorf("copy notifications: %w", err)
		}
	}
	h.Log.InfoContext(ctx, "notifications were copied", "notifications", copied)
	return nil
}

func withoutPasswords(page []govwifi.Notification) []govwifi.Notification {
	for i := range page {
		page[i].Body = govwifi.MaskPasswords(page[i].Body)
		page[i].Subject = govwifi.MaskPasswords(page[i].Subject)
	}
	return page
}
