package job

import (
	"context"
	"fmt"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// WarnInactiveUsers warns people whose credentials are about to expire.
type WarnInactiveUsers struct{ Run }

// Spec leaves an hour for each attempt.
func (WarnInactiveUsers) Spec() Spec { return maintenanceSpec("warn-inactive-users") }

// Key is the run.
func (j WarnInactiveUsers) Key() string { return "warn-inactive-users-" + j.Tick }

// missedDays is how many days before its own a warning run looks for people whom no
// run has warned: missed days, and those without a counterpart 11 months later, such
// as 31 October.
const missedDays = 7

// WarnInactiveUsersHandler plans a warning for each person and enqueues it.
type WarnInactiveUsersHandler struct {
	Audience interface {
		// PlanExpiryWarnings plans a warning for each person with an email address
		// whose last activity was in the span, and says how many are new.
		PlanExpiryWarnings(ctx context.Context, lastActivity govwifi.Span) (int, error)
	}
	Planner
}

// Handle follows docs/rules.md, Periodic jobs. The days are whole days in UTC:
//
//	D = 2026-11-22   last activity from 2025-12-15 00:00:00 to 2025-12-22 23:59:59
//	D = 2026-01-30   … from 2025-02-21 00:00:00 to 2025-02-28 23:59:59
func (h WarnInactiveUsersHandler) Handle(ctx context.Context, j WarnInactiveUsers) error {
	day, err := j.day()
	if err != nil {
		return err
	}
	last := govwifi.MonthsBefore(day, govwifi.InactivityBeforeWarning)
	planned, err := h.Audience.PlanExpiryWarnings(ctx, govwifi.Span{
		From: govwifi.DaysBefore(last, missedDays), To: govwifi.DaysBefore(last, -1)})
	if err != nil {
		return fmt.Errorf("plan warnings: %w", err)
	}
	return h.enqueue(ctx, govwifi.ExpiryWarning, planned, func(p Planned) Job { return ExpiryWarning{p} })
}
