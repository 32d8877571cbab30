package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// gauge registers a measurement that is asked for at each scrape.
func (m Metrics) gauge(name, help string, value func() float64) {
	m.Registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

// SealKeys says how many keys of QUEUE_SEAL_KEYS the binary has, 0 where payloads lie
// in the clear. Keys have no end of their own to count down to; what goes wrong is that
// binaries differ.
func (m Metrics) SealKeys(n int) {
	m.gauge("signup_seal_keys", "Keys that open sealed payloads, the first of which seals; 0 while sealing is off.",
		func() float64 { return float64(n) })
}

// CertificateEnds says when the pinned certificate of SNS runs out, after which every
// mail event is refused. Certificates that are fetched instead are AWS's to renew, and
// fetched anew when they end: without a pinned one there is nothing to register.
func (m Metrics) CertificateEnds(at time.Time) {
	m.gauge("signup_sns_certificate_expiry_timestamp_seconds", "When the certificate in SNS_SIGNING_CERT_FILE runs out, in Unix time.",
		func() float64 { return float64(at.Unix()) })
}

// AllowList knows how old it is.
type AllowList interface {
	// Age is how long ago the list was last confirmed.
	Age() time.Duration
	// StaleSince says that it could not be confirmed when last asked for, and when
	// it last was.
	StaleSince() (time.Time, bool)
}

// AllowList registers the age of the allow-list. It is read only when somebody signs
// up, so its age rises on a quiet night without fault: alert on how long it is stale.
func (m Metrics) AllowList(l AllowList) {
	m.gauge("signup_allow_list_age_seconds", "Time since S3 last confirmed the allow-list; it is asked only when somebody signs up.",
		func() float64 { return l.Age().Seconds() })
	m.gauge("signup_allow_list_stale_seconds", "How long the allow-list cannot be refreshed; 0 if it could be when last tried.", func() float64 {
		if _, stale := l.StaleSince(); !stale {
			return 0
		}
		return l.Age().Seconds()
	})
}

// Pool is what a pool of database connections is doing.
type Pool struct {
	// Open are the connections there are, of which InUse are at work; never more
	// than Max.
	Max, Open, InUse int
	// Waits is how often somebody had to wait for one since the start, and Waited
	// for how long together.
	Waits  int64
	Waited time.Duration
}

// Pool registers the pool of database connections, which is asked at each scrape.
func (m Metrics) Pool(read func() Pool) {
	m.gauge("signup_db_connections_max", "The most database connections this worker opens.",
		func() float64 { return float64(read().Max) })
	m.gauge("signup_db_connections_open", "Database connections that are open, idle or in use.",
		func() float64 { return float64(read().Open) })
	m.gauge("signup_db_connections_in_use", "Database connections in use.",
		func() float64 { return float64(read().InUse) })
	m.Registry.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "signup_db_waits_total",
			Help: "How often a job had to wait for a database connection."}, func() float64 { return float64(read().Waits) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "signup_db_wait_seconds_total",
			Help: "Time that jobs waited for a database connection."}, func() float64 { return read().Waited.Seconds() }))
}
