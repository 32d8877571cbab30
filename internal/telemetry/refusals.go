package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Refusals counts the mails that a worker does not act upon. Their jobs are done, so
// signup_jobs_total does not tell them from others.
type Refusals struct{ total *prometheus.CounterVec }

// Refusals registers the count of refused mails, of which these jobs and reasons start
// at 0. The reasons are a fixed list: nothing in a mail becomes a label.
func (m Metrics) Refusals(jobs, reasons []string) Refusals {
	r := Refusals{prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signup_refused_mails_total",
		Help: "Mails that were not acted upon, by reason: what SES found, a sponsor who is not on the allow-list, no guest."}, []string{"job", "reason"})}
	for _, job := range jobs {
		for _, reason := range reasons {
			r.total.WithLabelValues(job, reason)
		}
	}
	m.Registry.MustRegister(r.total)
	return r
}

// Count takes one refused mail down.
func (r Refusals) Count(job, reason string) { r.total.WithLabelValues(job, reason).Inc() }
