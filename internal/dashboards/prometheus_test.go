package dashboards

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/govwifi/user-signup/internal/testenv"
)

const (
	rulesFile = "../../deploy/prometheus/rules.yml"
	casesFile = "../../deploy/prometheus/rules_test.yml"
	scrapes   = "../../deploy/prometheus/prometheus.yml"
	board     = "../../deploy/grafana/dashboard.json"
	runbook   = "../../docs/runbook.md"
)

// prometheus is a server that scrapes a house as deploy/prometheus says, only more often.
type prometheus struct {
	testing.TB
	url string
}

func watch(h *house) prometheus {
	h.Helper()
	config := strings.ReplaceAll(read(h, scrapes), "15s", "1s")
	for name, addr := range h.admins {
		placeholder := name + ":9090"
		if strings.Count(config, placeholder) != 1 {
			h.Fatalf("%s does not name the target %s once", scrapes, placeholder)
		}
		config = strings.ReplaceAll(config, placeholder, addr)
	}
	return prometheus{h.TB, testenv.Prometheus(h, map[string]string{"prometheus.yml": config, "rules.yml": read(h, rulesFile)})}
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// ask reads from the API.
func (p prometheus) ask(path string, data any) error {
	text, err := get(p.url + "/api/v1/" + path)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, &struct{ Data any }{data})
}

// series is how many an expression gives now.
func (p prometheus) series(expr string) (int, error) {
	var answer struct {
		ResultType string
		Result     []json.RawMessage
	}
	if err := p.ask("query?query="+url.QueryEscape(expr), &answer); err != nil {
		return 0, err
	}
	if answer.ResultType != "vector" {
		return 0, fmt.Errorf("gives a %s, which no panel and no alert can use", answer.ResultType)
	}
	return len(answer.Result), nil
}

// rule is an alert as Prometheus has read it.
type rule struct {
	Name, Query, State, Health, LastError string
	Annotations, Labels                   map[string]string
}

func (p prometheus) rules() []rule {
	p.Helper()
	var answer struct{ Groups []struct{ Rules []rule } }
	if err := p.ask("rules", &answer); err != nil {
		p.Fatal(err)
	}
	var rules []rule
	for _, g := range answer.Groups {
		rules = append(rules, g.Rules...)
	}
	if len(rules) == 0 {
		p.Fatal("Prometheus has read no rules")
	}
	return rules
}

var (
	texts     = regexp.MustCompile(`"[^"]*"`)
	matchers  = regexp.MustCompile(`\{[^}]*\}`)
	ranges    = regexp.MustCompile(`\[[^\]]*\]`)
	groupings = regexp.MustCompile(`\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)`)
	words     = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*\s*\(?`)
	operators = map[string]bool{"and": true, "or": true, "unless": true, "bool": true, "offset": true}
)

// selectors are the metrics that an expression asks for, with their labels: each word
// that is no text, label, function or operator.
func selectors(expr string) []string {
	bare := texts.ReplaceAllString(expr, `""`)
	for _, r := range []*regexp.Regexp{matchers, ranges, groupings} {
		bare = r.ReplaceAllString(bare, " ")
	}
	var found []string
	seen := map[string]bool{}
	for _, word := range words.FindAllString(bare, -1) {
		name := strings.TrimSpace(word)
		if strings.HasSuffix(name, "(") || operators[name] || seen[name] {
			continue
		}
		seen[name] = true
		found = append(found, regexp.MustCompile(`\b`+name+`\b(\{[^}]*\})?`).FindAllString(expr, -1)...)
	}
	return found
}

// name is a selector's metric.
func name(selector string) string { return matchers.ReplaceAllString(selector, "") }
