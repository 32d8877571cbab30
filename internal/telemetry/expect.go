package telemetry

// Counters that are expected start at 0. Prometheus sees no increase in a series that
// begins with its first event, so an alert would sleep through the first failure of
// each kind, and a rate of nothing would be no data instead of 0.

// Expect starts the counter of each pair of labels.
func (w Webhooks) Expect(routes, outcomes []string) {
	for _, route := range routes {
		for _, outcome := range outcomes {
			w.total.WithLabelValues(route, outcome)
		}
	}
}

// Expect starts the counter of each pair of labels.
func (j Jobs) Expect(jobs, outcomes []string) {
	for _, job := range jobs {
		for _, outcome := range outcomes {
			j.total.WithLabelValues(job, outcome)
		}
	}
}

// notifyStatuses are the answers that dashboards and alerts look for.
var notifyStatuses = []string{"200", "201", "400", "401", "403", "404", "429", "500", "503", noStatus}

// Expect starts the counters of the usual answers to each endpoint.
func (n Notify) Expect(endpoints []string) {
	for _, endpoint := range endpoints {
		for _, status := range notifyStatuses {
			n.total.WithLabelValues(endpoint, status)
		}
	}
}
