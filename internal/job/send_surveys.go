package job

import (
	"context"
	"fmt"

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
	}
	Planner
}

// Handle follows docs/rules.md, Periodic jobs: yesterday is the whole UTC day before
// the run's, whenever it runs. A run that was missed is made up for with its own date.
func (h SendSurveysHandler) Handle(ctx context.Context, j SendSurveys) error {
	day, err := j.day()
	if err != nil {
		return err
	}
	planned, err := h.Audience.PlanSurveys(ctx, govwifi.Span{From: govwifi.DaysBefore(day, 1), To: day})
	if err != nil {
		return fmt.Errorf("plan surveys: %w", err)
	}
	return h.enqueue(ctx, govwifi.SurveyInvitation, planned, func(p Planned) Job { return SurveyInvitation{p} })
}
