package job

import (
	"context"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// ExpiryWarning warns one person that their credentials will be deleted.
type ExpiryWarning struct{ Planned }

// Spec keeps trying for a day.
func (ExpiryWarning) Spec() Spec { return plannedSpec(govwifi.ExpiryWarning) }

// Key is the planned message: one for each time that a person was inactive so long.
func (j ExpiryWarning) Key() string { return string(govwifi.ExpiryWarning) + "-" + j.MessageID }

// ExpiryWarningHandler sends the warning.
type ExpiryWarningHandler struct{ PlannedSender }

// Handle sends nothing to who has logged in or opted out since.
func (h ExpiryWarningHandler) Handle(ctx context.Context, j ExpiryWarning) error {
	return h.send(ctx, j.MessageID, j.Key(), func(a govwifi.Addressee) (govwifi.Message, bool) {
		return govwifi.ExpiryWarningMessage(a.User.Contact, a.User),
			!a.NotificationsOptOut && a.User.LastActivity().Equal(a.Occasion)
	})
}
