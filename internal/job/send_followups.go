package job

import (
	"context"
	"fmt"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// SendFollowups writes to people who signed up but never logged in.
type SendFollowups struct{ Run }

// Spec leaves an hour for each attempt.
func (SendFollowups) Spec() Spec { return maintenanceSpec("send-followups") }

// Key is the run.
func (j SendFollowups) Key() string { return "send-followups-" + j.Tick }

// followupDays is how old a sign-up without a log-in is before help is offered.
const followupDays = 2

// SendFollowupsHandler plans a follow-up for each person and enqueues it.
type SendFollowupsHandler struct {
	Audience interface {
		// PlanFollowups marks each self-signup created before the given time that
		// never logged in and is not marked, plans a message for those with an
		// email address who did not opt out, and says how many are new.
		PlanFollowups(ctx context.Context, created time.Time) (int, error)
	}
	Planner
}

// Handle follows docs/rules.md, Periodic jobs. Days are counted back from midnight UTC
// at the start of the run's day: on 22 November, sign-ups up to 19 November 23:59:59.
func (h SendFollowupsHandler) Handle(ctx context.Context, j SendFollowups) error {
	day, err := j.day()
	if err != nil {
		return err
	}
	planned, err := h.Audience.PlanFollowups(ctx, govwifi.DaysBefore(day, followupDays))
	if err != nil {
		return fmt.Errorf("plan follow-ups: %w", err)
	}
	return h.enqueue(ctx, govwifi.Followup, planned, func(p Planned) Job { return FollowupMessage{p} })
}
