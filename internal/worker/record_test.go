package worker

import (
	"log/slog"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/queue"
	"github.com/govwifi/user-signup/internal/telemetry"
)

// How long a job waited is told once, however often it was told to come back later.
func TestAWaitIsObservedOnce(t *testing.T) {
	t.Parallel()
	m := telemetry.NewMetrics()
	jobs := m.Jobs()
	for _, a := range []queue.Attempt{
		{Number: 1, Wait: time.Second, Outcome: queue.Retried, Free: true},
		{Number: 1, Wait: 7 * time.Second, Outcome: queue.Retried},
		{Number: 2, Wait: 60 * time.Second, Outcome: queue.Done},
	} {
		a.Queue = job.Batch
		record(t.Context(), a, jobs, slog.New(slog.DiscardHandler))
	}
	families, err := m.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "signup_job_wait_seconds" {
			h := family.GetMetric()[0].GetHistogram()
			if h.GetSampleCount() != 1 || h.GetSampleSum() != 7 {
				t.Errorf("waits: %v", h)
			}
			return
		}
	}
	t.Error("no waits")
}
