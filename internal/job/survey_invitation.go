package job

import (
	"context"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// SurveyInvitation asks one person how signing up went.
type SurveyInvitation struct{ Planned }

// Spec keeps trying for a day.
func (SurveyInvitation) Spec() Spec { return plannedSpec(govwifi.SurveyInvitation) }

// Key is the planned message: one for each sign-up.
func (j SurveyInvitation) Key() string { return string(govwifi.SurveyInvitation) + "-" + j.MessageID }

// SurveyInvitationHandler sends the invitation.
type SurveyInvitationHandler struct{ PlannedSender }

// Handle sends nothing to who has opted out since.
func (h SurveyInvitationHandler) Handle(ctx context.Context, j SurveyInvitation) error {
	return h.send(ctx, j.MessageID, j.Key(), func(a govwifi.Addressee) (govwifi.Message, bool) {
		return govwifi.SurveyMessage(a.User.Contact), !a.SurveyOptOut && a.User.CreatedAt.Equal(a.Occasion)
	})
}
