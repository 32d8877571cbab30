package measure

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestRow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		row             Row
		shown, aim, met string
	}{
		{Row{Result: 1.304, AtLeast: 1.3}, "1.3", "≥ 1.3", "yes"},
		{Row{Result: 1.29, AtLeast: 1.3}, "1.29", "≥ 1.3", "no"},
		{Row{Result: 9.5, Unit: "ms", AtMost: 10}, "9.5 ms", "≤ 10 ms", "yes"},
		{Row{Result: 10.4, Unit: "ms", AtMost: 10}, "10 ms", "≤ 10 ms", "no"},
		{Row{Result: -3, Unit: "ms", AtMost: 10}, "-3 ms", "≤ 10 ms", "yes"},
		{Row{Result: 120, Unit: "µs"}, "120 µs", "", ""},
	} {
		if c.row.Shown() != c.shown || c.row.Aim() != c.aim || c.row.Met() != c.met {
			t.Errorf("%+v: %s, %s, %s", c.row, c.row.Shown(), c.row.Aim(), c.row.Met())
		}
	}
}

func TestCurve(t *testing.T) {
	t.Parallel()
	for want, last := range map[string]float64{"constant": 3.1, "flatter than linear": 30, "): linear": 290, "worse than linear": 3000} {
		c := Curve{X: "rows", Y: "ms", Points: []Point{{10, 3}, {100, 5}, {1000, last}}}
		if got := c.Shape(); !strings.Contains(got, want) {
			t.Errorf("%q is not %q", got, want)
		}
	}
}

// A picture that is not well-formed would be shown by no browser.
func TestPlotIsXML(t *testing.T) {
	t.Parallel()
	svg := Curve{Title: "a < b & c", X: "rows", Y: "ms", Points: []Point{{1000, 0.3}, {10000, 5}, {100000, 40}}}.SVG()
	var texts []string
	for decoder := xml.NewDecoder(strings.NewReader(svg)); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		if text, ok := token.(xml.CharData); ok {
			texts = append(texts, string(text))
		}
	}
	for _, want := range []string{"a < b & c", "100,000", "40", "0.3", "rows (dashed: linear)"} {
		if !strings.Contains(strings.Join(texts, "|"), want) {
			t.Errorf("%q is not to be read in\n%s", want, svg)
		}
	}
}

// benchstat reads the results: a name without spaces, a count, a value and its unit.
func TestResultsAreBenchmarks(t *testing.T) {
	t.Parallel()
	for want, row := range map[string]Row{
		"BenchmarkP99_of_an_answer__above_it 1 9.5 ms\n": {What: "p99 of an answer, above it", Result: 9.5, Unit: "ms"},
		"BenchmarkTexts 1 1.31 ratio\n":                  {What: "texts", Result: 1.31},
		"Benchmark1_000_guests 1 25 faster\n":            {What: "1,000 guests", Result: 25, Unit: "× faster"},
	} {
		if got := row.benchmark(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
