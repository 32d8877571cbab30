package queue

import (
	"github.com/govwifi/user-signup/internal/job"
)

// Label is what may be shown of a payload as it lies in Redis, sealed or in the clear:
// whom the job is about, masked. asynq's dashboard calls it for every payload
// (asynqmon.PayloadFormatterFunc).
func Label(name string, payload []byte) string {
	if e, sealed := sealedIn(payload); sealed {
		return e.Label
	}
	return job.LabelOf(name, payload)
}
