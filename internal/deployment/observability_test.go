package deployment

import (
	"os"
	"regexp"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
)

// What Prometheus and Grafana are told of is there: each file that is mounted, each
// path inside that a file speaks of, each service that is scraped.
func TestObservabilityIsProvisioned(t *testing.T) {
	t.Parallel()
	project := load(t)
	mounted := map[string]bool{}
	for _, name := range []string{"prometheus", "grafana"} {
		for _, volume := range project.Services[name].Volumes {
			mounted[volume.Target] = true
			if _, err := os.Stat(volume.Source); volume.Type == types.VolumeTypeBind && err != nil {
				t.Errorf("%s mounts what is not there: %v", name, err)
			}
		}
	}
	for file, pattern := range map[string]string{
		"deploy/compose/prometheus.yml":         `rule_files: \[(.+)\]`,
		"deploy/compose/grafana/dashboards.yml": `path: (.+)`,
	} {
		if path := regexp.MustCompile(pattern).FindStringSubmatch(read(t, file)); path == nil || !mounted[path[1]] {
			t.Errorf("%s: nothing is mounted at %q", file, path)
		}
	}
	scraped := regexp.MustCompile(`names: \[(.+?)\]`).FindAllStringSubmatch(read(t, "deploy/compose/prometheus.yml"), -1)
	source := regexp.MustCompile(`url: http://(.+):9090`).FindAllStringSubmatch(read(t, "deploy/compose/grafana/datasources.yml"), -1)
	for _, host := range append(scraped, source...) {
		if _, found := project.Services[host[1]]; !found {
			t.Errorf("there is no service %s", host[1])
		}
	}
	if len(scraped) != 3 || len(source) != 1 {
		t.Errorf("%d services are scraped, and Grafana asks %d Prometheus", len(scraped), len(source))
	}
}
