package dashboards

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/testenv"
)

// patience is far more than the few scrapes that every expression needs.
const patience = 30 * time.Second

// Every expression is understood by Prometheus, asks only for metrics that there are,
// and says something about a house in which people are served.
func TestEveryExpressionSaysSomething(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := watch(h)
	h.traffic()
	deadline := time.Now().Add(patience)
	t.Run("dashboard", func(t *testing.T) {
		for _, e := range panelExpressions(t) {
			p.wantData(t, e, deadline)
		}
	})
	t.Run("alerts", func(t *testing.T) {
		for _, r := range p.rules() {
			// A calm alert gives nothing: look at what it looks at.
			for _, s := range selectors(r.Query) {
				p.wantData(t, expression{r.Name, s}, deadline)
			}
		}
		p.wantCalm(t, deadline)
	})
	t.Run("names", func(t *testing.T) { p.wantNames(t) })
	t.Run("runbook", func(t *testing.T) { wantRunbook(t, p.rules()) })
}

// expression is one of a panel or an alert, whose name it has.
type expression struct{ of, text string }

// panelExpressions reads the dashboard. Grafana would put a number of scrapes in place
// of its variable.
func panelExpressions(t *testing.T) []expression {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Type    string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, board)), &dashboard); err != nil {
		t.Fatal(err)
	}
	var found []expression
	for _, p := range dashboard.Panels {
		if len(p.Targets) == 0 && p.Type != "row" {
			t.Errorf("the panel %q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			found = append(found, expression{p.Title, strings.ReplaceAll(target.Expr, "$__rate_interval", "1m")})
		}
	}
	if len(found) == 0 {
		t.Fatal("the dashboard has no expressions")
	}
	return found
}

// wantData asks until the expression gives a series; one that Prometheus does not
// understand never will.
func (p prometheus) wantData(t *testing.T, e expression, deadline time.Time) {
	t.Helper()
	for {
		n, err := p.series(e.text)
		switch {
		case err != nil:
			t.Errorf("%s: %s: %v", e.of, e.text, err)
			return
		case n > 0:
			return
		case time.Now().After(deadline):
			t.Errorf("%s: %s: no data", e.of, e.text)
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// wantCalm waits until every rule was evaluated without a fault and finds nothing wrong
// with a house in order.
func (p prometheus) wantCalm(t *testing.T, deadline time.Time) {
	t.Helper()
	for {
		var trouble []string
		for _, r := range p.rules() {
			if r.Health != "ok" || r.State != "inactive" {
				trouble = append(trouble, fmt.Sprintf("%s is %s (evaluation %s %s)", r.Name, r.State, r.Health, r.LastError))
			}
		}
		if len(trouble) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Error(strings.Join(trouble, "\n"))
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func (p prometheus) wantNames(t *testing.T) {
	t.Helper()
	var known []string
	if err := p.ask("label/__name__/values", &known); err != nil {
		t.Fatal(err)
	}
	all := panelExpressions(t)
	for _, r := range p.rules() {
		all = append(all, expression{r.Name, r.Query})
	}
	for _, e := range all {
		asked := selectors(e.text)
		if len(asked) == 0 {
			t.Errorf("%s: %s asks for no metric", e.of, e.text)
		}
		for _, s := range asked {
			if !slices.Contains(known, name(s)) {
				t.Errorf("%s: there is no metric %s", e.of, name(s))
			}
		}
	}
}

// wantRunbook wants a section for each alert where its link points, and none for
// alerts that are gone; and of each alert a case in which it fires.
func wantRunbook(t *testing.T, rules []rule) {
	t.Helper()
	_, alerts, _ := strings.Cut("\n"+read(t, runbook), "\n## Alerts\n")
	alerts, _, _ = strings.Cut(alerts, "\n## ")
	cases := read(t, casesFile)
	sections := map[string]bool{}
	for line := range strings.Lines(alerts) {
		if heading, ok := strings.CutPrefix(line, "### "); ok {
			sections[strings.TrimSpace(heading)] = true
		}
	}
	for _, r := range rules {
		const page = "https://github.com/govwifi/user-signup/blob/main/docs/runbook.md#"
		link := page + strings.ToLower(r.Name)
		if r.Annotations["runbook_url"] != link {
			t.Errorf("%s links to %q, want %q", r.Name, r.Annotations["runbook_url"], link)
		}
		if !sections[r.Name] {
			t.Errorf("%s has no section in the runbook", r.Name)
		}
		if r.Labels["severity"] != "page" && r.Labels["severity"] != "ticket" {
			t.Errorf("%s has the severity %q", r.Name, r.Labels["severity"])
		}
		if !strings.Contains(cases, "runbook_url: "+link+"\n") {
			t.Errorf("%s fires in no case of %s", r.Name, casesFile)
		}
		delete(sections, r.Name)
	}
	for name := range sections {
		t.Errorf("the runbook has a section for %s, which is no alert", name)
	}
}

// Prometheus's own tool finds nothing wrong, and each alert comes and goes as the cases
// say.
func TestPromtool(t *testing.T) {
	t.Parallel()
	testenv.Promtool(t, "check", "rules", rulesFile)
	testenv.Promtool(t, "check", "config", scrapes)
	testenv.Promtool(t, "test", "rules", casesFile)
}

func TestSelectors(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string][]string{
		`sum by (job) (rate(a_total{x="by (y)"}[5m])) / 2`:        {`a_total{x="by (y)"}`},
		`absent(a) or b unless on (z) c offset 5m`:                {"a", "b", "c"},
		`a{x="1"} > bool 5 and a{x="2"}`:                          {`a{x="1"}`, `a{x="2"}`},
		"label_replace(up, \"x\", \"$1\", \"job\", \"(.*)\") > 1": {"up"},
	} {
		if got := selectors(expr); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
}
