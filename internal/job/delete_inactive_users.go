package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// DeleteInactiveUsers forgets people who stopped using GovWifi.
type DeleteInactiveUsers struct{ Run }

// Spec leaves an hour for each attempt.
func (DeleteInactiveUsers) Spec() Spec { return maintenanceSpec("delete-inactive-users") }

// Key is the run.
func (j DeleteInactiveUsers) Key() string { return "delete-inactive-users-" + j.Tick }

// archiveDays is how long a job that was given up may wait for an operator: it holds
// a contact.
const archiveDays = 14

// DeleteInactiveUsersHandler forgets in four steps. Each may be broken off at any
// moment, and takes up what is left the next time; done twice, it finds nothing.
type DeleteInactiveUsersHandler struct {
	// Users return how many they changed, also beside an error.
	Users interface {
		// DeleteInactive deletes users whose last activity was before the given time.
		DeleteInactive(ctx context.Context, before time.Time) (int, error)
		// DeleteInactiveGuests does so with guests alone.
		DeleteInactiveGuests(ctx context.Context, before time.Time) (int, error)
		// ObfuscateSponsors hides who sponsored a guest, once that sponsor is no user.
		ObfuscateSponsors(ctx context.Context) (int, error)
	}
	Archive interface {
		// Purge drops archived jobs that failed before the given time.
		Purge(ctx context.Context, before time.Time) (int, error)
	}
	// Months is INACTIVE_MONTHS: calendar months after which a user is deleted.
	Months int
	// GuestDays is SPONSORED_INACTIVE_DAYS.
	GuestDays int
	Log       *slog.Logger
}

// Handle follows docs/rules.md, Periodic jobs. Times are counted back from midnight
// UTC at the start of the run's day, so that a run repeated in the evening decides as
// it did in the morning:
//
//	D = 2026-11-22, 12 months   deleted if the last activity was before 2025-11-22 00:00:00
//	D = 2024-02-29, 12 months   … before 2023-02-28 00:00:00, as there is no 29th
//	D = 2026-11-22, 90 days     guests: … before 2026-08-24 00:00:00
//
// That last second itself is kept: it is not over 12 months ago.
func (h DeleteInactiveUsersHandler) Handle(ctx context.Context, j DeleteInactiveUsers) error {
	day, err := j.day()
	if err != nil {
		return err
	}
	if h.Months < 1 || h.GuestDays < 1 {
		// A zero would delete everybody.
		return Permanent(errors.New("delete inactive users: INACTIVE_MONTHS and SPONSORED_INACTIVE_DAYS must be at least 1"))
	}
	steps := []struct {
		name string
		do   func() (int, error)
	}{
		{"users", func() (int, error) { return h.Users.DeleteInactive(ctx, govwifi.MonthsBefore(day, h.Months)) }},
		{"guests", func() (int, error) {
			return h.Users.DeleteInactiveGuests(ctx, govwifi.DaysBefore(day, h.GuestDays))
		}},
		{"sponsors_obfuscated", func() (int, error) { return h.Users.ObfuscateSponsors(ctx) }},
		{"archived_jobs", func() (int, error) { return h.Archive.Purge(ctx, govwifi.DaysBefore(day, archiveDays)) }},
	}
	var counts []any
	for _, step := range steps {
		n, stepErr := step.do()
		counts = append(counts, step.name, n)
		if stepErr != nil {
			err = fmt.Errorf("forget %s: %w", step.name, stepErr)
			break
		}
	}
	h.Log.InfoContext(ctx, "inactive users were deleted", append(counts, "date", j.Date, "finished", err == nil)...)
	return err
}
