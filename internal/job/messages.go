package job

import (
	"context"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// Messages is how a handler reaches a person. Once is its only implementation
// outside tests.
type Messages interface {
	// Sent says whether an earlier delivery of the same job has sent the message with
	// this reference. Handlers that create people ask it first: the admin application
	// may have deleted the person since, and a job must not bring them back.
	Sent(ctx context.Context, reference string) (bool, error)
	// Send returns one of the three outcomes; nil when the message has been
	// accepted, now or by an earlier delivery of the same job.
	Send(ctx context.Context, m govwifi.Message) error
}
