package telemetry

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Timetable knows the ticks of the periodic jobs.
type Timetable interface {
	// Ticks calls tick for each periodic job that is on: with the last tick whose
	// job was queued, zero if none was, and the first that is not settled yet, which
	// lies in the past only while it is overdue.
	Ticks(ctx context.Context, tick func(job string, last, next time.Time)) error
}

// Timetable registers the ticks of the periodic jobs, which are read at each scrape.
func (m Metrics) Timetable(t Timetable, log *slog.Logger) {
	m.Registry.MustRegister(timetableCollector{t, log})
}

var (
	lastTick = prometheus.NewDesc("signup_scheduler_last_tick_timestamp_seconds",
		"The last tick of a periodic job that was queued, in Unix time.", []string{"job"}, nil)
	nextTick = prometheus.NewDesc("signup_scheduler_next_tick_timestamp_seconds",
		"The first tick of a periodic job that is not settled yet, in Unix time; in the past, it is overdue.", []string{"job"}, nil)
)

type timetableCollector struct {
	timetable Timetable
	log       *slog.Logger
}

// Describe names the measurements.
func (timetableCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- lastTick
	descs <- nextTick
}

// Collect asks the timetable. Its failure is logged, as with the queues.
func (c timetableCollector) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), measureTimeout)
	defer cancel()
	err := c.timetable.Ticks(ctx, func(job string, last, next time.Time) {
		if !last.IsZero() {
			metrics <- prometheus.MustNewConstMetric(lastTick, prometheus.GaugeValue, float64(last.Unix()), job)
		}
		metrics <- prometheus.MustNewConstMetric(nextTick, prometheus.GaugeValue, float64(next.Unix()), job)
	})
	if err != nil {
		c.log.Warn("the timetable cannot be measured", "err", err)
	}
}
