package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// RecordDelivery stores what a delivery receipt says of a message, and says whether its
// status is another now. Receipts come twice and out of order (docs/facts.md, B2):
//
//	stored            receipt            then
//	no row            any                a row of what the receipt knows; the copy of the
//	                                     next day fills in the rest
//	not final         any                taken
//	final             not final          ignored
//	final             final, later       taken (completed_at; in the same second too, which
//	                                     is as fine as the column is)
//	final             final, earlier     ignored
//
// Rows are found by Notify's id, and where none has it, by the reference: a job has one,
// and sends one message. Two messages with one reference would not be ours; each has its
// own row as soon as one of them is known by its id.
func (d *DB) RecordDelivery(ctx context.Context, n govwifi.Notification) (changed bool, err error) {
	// The second round is for a row that another made between look-up and insert.
	for range 2 {
		changed, err = d.recordDelivery(ctx, n)
		if err != nil || changed {
			break
		}
	}
	if err != nil {
		return false, fmt.Errorf("store a delivery receipt: %w", err)
	}
	return changed, nil
}

func (d *DB) recordDelivery(ctx context.Context, n govwifi.Notification) (changed bool, err error) {
	err = d.row(ctx, "SELECT id FROM notifications WHERE id = ? OR reference = ? ORDER BY id = ? DESC LIMIT 1",
		[]any{n.ID, narrow(n.Reference, 200), n.ID}, &n.ID)
	if errors.Is(err, sql.ErrNoRows) {
		return d.insertDelivery(ctx, n)
	}
	if err != nil {
		return false, err
	}
	return d.updateDelivery(ctx, n)
}

// updateDelivery changes a stored row unless it knows better, or the same already.
func (d *DB) updateDelivery(ctx context.Context, n govwifi.Notification) (bool, error) {
	finals := govwifi.FinalStatuses()
	status, completed := narrow(n.Status, 20), timeOrNull(n.CompletedAt)
	later := "status IS NULL OR status NOT IN (" + placeholders(len(finals)) + ")"
	args := []any{status, timeOrNull(n.SentAt), completed, narrow(n.Reference, 200), n.ID, status, completed}
	args = append(args, anys(finals)...)
	if slices.Contains(finals, n.Status) {
		later += " OR completed_at IS NULL OR completed_at <= ?"
		args = append(args, completed)
	}
	rows, err := d.change(ctx, "UPDATE notifications SET status = ?, sent_at = COALESCE(?, sent_at), completed_at = COALESCE(?, completed_at),"+
		" reference = COALESCE(reference, ?) WHERE id = ? AND NOT (status <=> ? AND completed_at <=> ?) AND ("+later+")", args...)
	return rows > 0, err
}

// insertDelivery makes a row, unless there is one.
func (d *DB) insertDelivery(ctx context.Context, n govwifi.Notification) (bool, error) {
	rows, err := d.change(ctx, "INSERT IGNORE INTO notifications (id, reference, type, status, template_version, template_id, created_at, sent_at, completed_at)"+
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", n.ID, narrow(n.Reference, 200), narrow(n.Type, 6), narrow(n.Status, 20),
		narrow(n.TemplateVersion, 10), narrow(n.TemplateID, 36), timeOrNull(n.CreatedAt), timeOrNull(n.SentAt), timeOrNull(n.CompletedAt))
	return rows > 0, err
}
