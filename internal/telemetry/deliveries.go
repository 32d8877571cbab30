package telemetry

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// Deliveries counts what became of messages.
type Deliveries struct{ total *prometheus.CounterVec }

// Deliveries registers the measurement of delivery receipts.
func (m Metrics) Deliveries() Deliveries {
	d := Deliveries{prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signup_deliveries_total",
		Help: "Messages by the status that GOV.UK Notify reported and by template; unknown is a template that is none of ours."},
		[]string{"status", "template"})}
	m.Registry.MustRegister(d.total)
	return d
}

// Observe takes one change of status down. Both labels come from outside: a status that
// Notify has not documented is counted as other, a template that is none of ours as
// unknown.
func (d Deliveries) Observe(status string, template govwifi.Template) {
	if !slices.Contains(govwifi.FinalStatuses(), status) {
		status = "other"
	}
	if !slices.Contains(govwifi.Templates(), template) {
		template = "unknown"
	}
	d.total.WithLabelValues(status, string(template)).Inc()
}
