package telemetry

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Metrics are the measurements of docs/contract.md, section 6. Each binary
// registers those that it feeds. No label holds anything that a stranger sends.
type Metrics struct {
	// Registry is what the admin listener serves.
	Registry *prometheus.Registry
}

// NewMetrics makes a registry that already tells of Go, the process and the build.
func NewMetrics() Metrics {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo())
	return Metrics{r}
}

// Webhooks counts and times what came through the doors of ingest.
type Webhooks struct {
	total   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

// Webhooks registers ingest's measurements.
func (m Metrics) Webhooks() Webhooks {
	w := Webhooks{
		prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signup_webhooks_total",
			Help: "Webhooks by route and what became of them."}, []string{"route", "outcome"}),
		prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "signup_webhook_seconds",
			Help:    "Time from a webhook's headers to its answer.",
			Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2}}, []string{"route"}),
	}
	m.Registry.MustRegister(w.total, w.seconds)
	return w
}

// Observe takes one webhook down.
func (w Webhooks) Observe(route, outcome string, d time.Duration) {
	w.total.WithLabelValues(route, outcome).Inc()
	w.seconds.WithLabelValues(route).Observe(d.Seconds())
}

// Jobs counts and times the attempts of a worker.
type Jobs struct {
	total   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	wait    *prometheus.HistogramVec
}

// Jobs registers a worker's measurements.
func (m Metrics) Jobs() Jobs {
	j := Jobs{
		prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signup_jobs_total",
			Help: "Attempts at jobs by outcome: done, retry or archived."}, []string{"job", "outcome"}),
		prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "signup_job_seconds",
			Help: "Time of one attempt.", Buckets: prometheus.ExponentialBuckets(.005, 2.5, 11)}, []string{"job"}),
		prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "signup_job_wait_seconds",
			Help:    "Time from enqueuing to the first attempt that was not told to wait.",
			Buckets: []float64{.01, .03, .1, .3, 1, 3, 10, 30, 60, 300, 900, 3600}}, []string{"queue"}),
	}
	m.Registry.MustRegister(j.total, j.seconds, j.wait)
	return j
}

// Observe takes one attempt down.
func (j Jobs) Observe(job, outcome string, d time.Duration) {
	j.total.WithLabelValues(job, outcome).Inc()
	j.seconds.WithLabelValues(job).Observe(d.Seconds())
}

// Waited takes down how long a job waited for its first attempt.
func (j Jobs) Waited(queue string, d time.Duration) {
	j.wait.WithLabelValues(queue).Observe(d.Seconds())
}

// Notify counts and times requests to GOV.UK Notify.
type Notify struct {
	total     *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	throttled prometheus.Counter
}

// Notify registers the measurements of requests to GOV.UK Notify.
func (m Metrics) Notify() Notify {
	n := Notify{
		prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signup_notify_requests_total",
			Help: "Requests to GOV.UK Notify by endpoint and HTTP status, or error where there was none."}, []string{"endpoint", "status"}),
		prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "signup_notify_seconds",
			Help: "Time of a request to GOV.UK Notify.", Buckets: prometheus.ExponentialBuckets(.005, 2.5, 10)}, []string{"endpoint"}),
		prometheus.NewCounter(prometheus.CounterOpts{Name: "signup_notify_throttled_total",
			Help: "Requests that GOV.UK Notify refused with 429."}),
	}
	m.Registry.MustRegister(n.total, n.seconds, n.throttled)
	return n
}

// noStatus is the label of a request to which no answer came.
const noStatus = "error"

// Observe takes one request down; status 0 means that no answer came. A number that
// HTTP does not know (RFC 9110, section 15) is none either: a proxy gone mad makes no
// thousand series.
func (n Notify) Observe(endpoint string, status int, d time.Duration) {
	text := noStatus
	if status >= 100 && status <= 599 {
		text = strconv.Itoa(status)
	}
	n.total.WithLabelValues(endpoint, text).Inc()
	n.seconds.WithLabelValues(endpoint).Observe(d.Seconds())
	if status == 429 {
		n.throttled.Inc()
	}
}
