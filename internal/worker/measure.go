package worker

import (
	"log/slog"

	"github.com/govwifi/user-signup/internal/notify"
	"github.com/govwifi/user-signup/internal/queue"
	"github.com/govwifi/user-signup/internal/telemetry"
)

// measure registers what is read at each scrape, and starts the counters of the jobs
// that have a handler.
func (p *parts) measure(c Config, jobs []string, log *slog.Logger) {
	p.attempt.Expect(jobs, []string{string(queue.Done), string(queue.Retried), string(queue.Archived)})
	p.metrics.Queues(p.jobs, log)
	p.metrics.SealKeys(c.SealKeys.Keys())
	p.metrics.AllowList(p.allow)
	p.metrics.Pool(func() telemetry.Pool {
		s := p.db.Stats()
		return telemetry.Pool{Max: s.MaxOpenConnections, Open: s.OpenConnections, InUse: s.InUse, Waits: s.WaitCount, Waited: s.WaitDuration}
	})
}

// watched are Notify's measurements, with its endpoints started.
func watched(n telemetry.Notify) telemetry.Notify {
	n.Expect(notify.Endpoints())
	return n
}
