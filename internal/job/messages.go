package job

import (
	"context"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// Messages is how a handler reaches a person. Once is its only implementation
// outside tests.
type Messages interface {
	// Send returns one of the three outcomes; nil when the message has been
	// accepted, now or by an earlier delivery of the same job.
	Send(ctx context.Context, m govwifi.Message) error
}
