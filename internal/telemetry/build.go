package telemetry

import (
	"cmp"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
)

// build describes the binary: its module's version, the commit (with +dirty if it was
// built from changed files) and Go's version; unknown where the build did not say, as
// outside a repository.
func build() prometheus.Labels {
	labels := prometheus.Labels{"version": "unknown", "revision": "unknown", "go": "unknown"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return labels
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	revision := cmp.Or(settings["vcs.revision"], "unknown")
	if settings["vcs.modified"] == "true" {
		revision += "+dirty"
	}
	return prometheus.Labels{"version": cmp.Or(info.Main.Version, "unknown"), "revision": revision, "go": info.GoVersion}
}

// buildInfo is always 1: its labels are what it says, and its absence is how an alert
// knows that a program is not there.
func buildInfo() prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "signup_build_info",
		Help: "Always 1; the labels tell the build of the binary.", ConstLabels: build()})
	g.Set(1)
	return g
}
