package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Recovered counts the events whose webhook never reached us, or whose job was lost, and
// that were found where they came from.
type Recovered struct{ total *prometheus.CounterVec }

// Recovered registers the count, which starts at 0 for these jobs.
func (m Metrics) Recovered(jobs ...string) Recovered {
	r := Recovered{prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signup_recovered_events_total",
		Help: "Events found by recover-texts and recover-mail and queued late: their webhook never reached us, or their job was lost with Redis."}, []string{"job"})}
	for _, job := range jobs {
		r.total.WithLabelValues(job)
	}
	m.Registry.MustRegister(r.total)
	return r
}

// Add takes recovered events down.
func (r Recovered) Add(job string, n int) { r.total.WithLabelValues(job).Add(float64(n)) }
