package job

import (
	"context"
	"log/slog"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// VerdictPolicy is what is done about a mail whose sender is in doubt
// (SES_VERDICTS, docs/contract.md, Configuration).
type VerdictPolicy string

// The policies.
const (
	// EnforceVerdicts refuses the mail.
	EnforceVerdicts VerdictPolicy = "enforce"
	// LogVerdicts acts upon it and logs what enforcing would refuse.
	LogVerdicts VerdictPolicy = "log"
	// IgnoreVerdicts acts upon it.
	IgnoreVerdicts VerdictPolicy = "off"
)

// Judge keeps account of the mails that are not acted upon. Their jobs are done all
// the same: nobody is created or answered, and there is nothing to try again.
type Judge struct {
	Verdicts VerdictPolicy
	Log      *slog.Logger
	// Count is told of each refused mail.
	Count func(jobName string, why govwifi.Refusal)
}

// doubts says whether a mail is refused for what SES found, which may be nothing.
func (h Judge) doubts(ctx context.Context, j Job, why govwifi.Refusal) bool {
	switch {
	case why == "" || h.Verdicts == IgnoreVerdicts:
		return false
	case h.Verdicts == LogVerdicts:
		h.Log.WarnContext(ctx, "a mail would be refused if SES_VERDICTS were enforce", "reason", string(why), "key", j.Key())
		return false
	}
	h.refuse(ctx, j, why)
	return true
}

func (h Judge) refuse(ctx context.Context, j Job, why govwifi.Refusal) {
	h.Count(j.Spec().Name, why)
	h.Log.WarnContext(ctx, "a mail is refused", "reason", string(why), "key", j.Key())
}
