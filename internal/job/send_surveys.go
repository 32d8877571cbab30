package job

import (
	"context"
	"fmt"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// SendSurveys asks yesterday's new users how signing up went.
type SendSurveys struct{ Run }

// Spec leaves an hour for each attempt.
func (SendSurveys) Spec() Spec { return maintenanceSpec("send-surveys") }

// Key is the run.
func (j SendSurveys) Key() string { return "send-surveys-" + j.Tick }

// SendSurveysHandler plans a survey for each person and enqueues it.
type SendSurveysHandler struct {
	Audience interface {
		// PlanSurveys plans a survey for each self-signup created in the span who
		// has logged in and was never asked, marks them, and says how many are new.
		PlanSurveys(ctx context.Context, created govwifi.Span) (int, error)
		// SurveyedUntil is the end of the latest span that was planned for, zero if
		// none ever was.
		SurveyedUntil(ctx context.Context) (time.Time, error)
		// NoteSurveyed notes such an end; an earlier one changes nothing.
		NoteSurveyed(ctx context.Context, until time.Time) error
	}
	Planner
}

// Handle follows docs/rules.md, Periodic jobs: yesterday is the whole UTC day before
// the run's, whenever it runs. The scheduler makes up for one missed run; those before
// it are made up for here, so that nobody is left out whose day fell into a long outage:
//
//	last run     this run     asks those created on
//	D − 1        D            D − 1
//	D − 3        D            D − 3, D − 2, D − 1
//	long ago     D            the 7 days before D, and D − 1
//	never        D            D − 1: what was before us is no day that we missed
//	D, or later  D            D − 1: by hand, or again
func (h SendSurveysHandler) Handle(ctx context.Context, j SendSurveys) error {
	day, err := j.day()
	if err != nil {
		return err
	}
	until, err := h.Audience.SurveyedUntil(ctx)
	if err != nil {
		return fmt.Errorf("plan surveys: %w", err)
	}
	created := govwifi.Span{From: govwifi.DaysBefore(day, 1), To: day}
	if missed := !until.IsZero() && until.Before(created.From); missed {
		created.From = until
		if oldest := govwifi.DaysBefore(day, 1+missedDays); until.Before(oldest) {
			created.From = oldest
		}
	}
	planned, err := h.Audience.PlanSurveys(ctx, created)
	if err != nil {
		return fmt.Errorf("plan surveys: %w", err)
	}
	if err := h.Audience.NoteSurveyed(ctx, day); err != nil {
		return fmt.Errorf("plan surveys: %w", err)
	}
	return h.enqueue(ctx, govwifi.SurveyInvitation, planned, func(p Planned) Job { return SurveyInvitation{p} })
}
