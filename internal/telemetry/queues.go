package telemetry

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Queues can be asked how full they are.
type Queues interface {
	// Measure calls tasks for each state of each queue, and latency for each queue
	// with the wait of its oldest pending job. What it cannot read it leaves out,
	// and says why.
	Measure(ctx context.Context, tasks func(queue, state string, n int64), latency func(queue string, d time.Duration)) error
}

// measureTimeout is below Prometheus's own patience (10 s), so that a Redis that
// hangs does not take all other metrics with it.
const measureTimeout = 3 * time.Second

// Queues registers the measurements of the queues, which are read at each scrape. A
// queue that cannot be read has no values then, rather than old ones: alert on their
// absence.
func (m Metrics) Queues(q Queues, log *slog.Logger) {
	m.Registry.MustRegister(queueCollector{q, log})
}

var (
	queueTasks = prometheus.NewDesc("signup_queue_tasks",
		"Jobs in a queue by state; completed ones are remembered for a day.", []string{"queue", "state"}, nil)
	queueLatency = prometheus.NewDesc("signup_queue_latency_seconds",
		"How long the oldest pending job of a queue has waited.", []string{"queue"}, nil)
)

type queueCollector struct {
	queues Queues
	log    *slog.Logger
}

// Describe names the measurements.
func (queueCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- queueTasks
	descs <- queueLatency
}

// Collect asks the queues. Its failure is logged, since one invalid metric would
// make the whole scrape an error.
func (c queueCollector) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), measureTimeout)
	defer cancel()
	err := c.queues.Measure(ctx, func(queue, state string, n int64) {
		metrics <- prometheus.MustNewConstMetric(queueTasks, prometheus.GaugeValue, float64(n), queue, state)
	}, func(queue string, d time.Duration) {
		metrics <- prometheus.MustNewConstMetric(queueLatency, prometheus.GaugeValue, d.Seconds(), queue)
	})
	if err != nil {
		c.log.Warn("the queues cannot be measured", "err", err)
	}
}
