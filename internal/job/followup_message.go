package job

import (
	"context"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// FollowupMessage offers help to one person who never logged in.
type FollowupMessage struct{ Planned }

// Spec keeps trying for a day.
func (FollowupMessage) Spec() Spec { return plannedSpec(govwifi.Followup) }

// Key is the planned message: one for each sign-up.
func (j FollowupMessage) Key() string { return string(govwifi.Followup) + "-" + j.MessageID }

// FollowupMessageHandler sends the offer.
type FollowupMessageHandler struct{ PlannedSender }

// Handle sends nothing to who has logged in or opted out since.
func (h FollowupMessageHandler) Handle(ctx context.Context, j FollowupMessage) error {
	return h.send(ctx, j.MessageID, j.Key(), func(a govwifi.Addressee) (govwifi.Message, bool) {
		return govwifi.FollowupEmailMessage(a.User.Contact),
			!a.NotificationsOptOut && a.User.LastLogin.IsZero() && a.User.CreatedAt.Equal(a.Occasion)
	})
}
