// Package measure is what the benchmarks of `make bench` say: rows of one table, each
// beside what it is compared with and what is aimed at, and curves of growth. Rows are
// shown as they are measured and gathered in a file, from which measure/table writes
// docs/performance.md. It is for tests only.
package measure

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode"
)

// Row is one line of the table: a figure of ours beside its reference, measured in the
// same run, since only both together say anything on another machine.
type Row struct {
	What string
	// Ours and Reference are figures as they are shown, with their unit.
	Ours, Reference string
	// Result is what the aim is about, usually the ratio of the two.
	Result float64
	// Unit is that of Result; empty for a ratio.
	Unit string
	// AtLeast and AtMost are the aim; 0 is none.
	AtLeast, AtMost float64
	// Is says what the reference is, and what else must be known.
	Is string
	// Summary says that README.md shows the row too.
	Summary bool
}

// Aim is the aim in words, empty where there is none.
func (r Row) Aim() string {
	switch {
	case r.AtLeast != 0:
		return "≥ " + r.figure(r.AtLeast)
	case r.AtMost != 0:
		return "≤ " + r.figure(r.AtMost)
	}
	return ""
}

// Met says whether the aim is met: yes, no, or nothing where there is none.
func (r Row) Met() string {
	switch {
	case r.AtLeast == 0 && r.AtMost == 0:
		return ""
	case r.AtLeast != 0 && r.Result < r.AtLeast, r.AtMost != 0 && r.Result > r.AtMost:
		return "no"
	}
	return "yes"
}

// Shown is Result with its unit.
func (r Row) Shown() string { return r.figure(r.Result) }

func (r Row) figure(n float64) string {
	digits := 2
	if n >= 10 || n <= -10 {
		digits = 0
	}
	text := fmt.Sprintf("%.*f", digits, n)
	if strings.Contains(text, ".") {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	return strings.TrimSpace(text + " " + r.Unit)
}

// Report shows the row and adds it to the gathered ones. Without their file, as in a run
// by hand, it is only shown.
func (r Row) Report(tb testing.TB) {
	tb.Helper()
	fmt.Printf("\n> %-58s %11s %11s %9s  %-9s %-3s  %s\n", r.What, r.Ours, r.Reference, r.Shown(), r.Aim(), r.Met(), r.Is)
	gather(tb, Line{Row: &r})
	appendTo(tb, os.Getenv("RESULTS"), r.benchmark())
}

// benchmark is the row as one that Go wrote, for benchstat.
func (r Row) benchmark() string {
	word := func(text string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				return r
			}
			return '_'
		}, strings.TrimSpace(text))
	}
	return fmt.Sprintf("Benchmark%s 1 %g %s\n", strings.ToUpper(word(r.What)[:1])+word(r.What)[1:], r.Result, cmp.Or(strings.Trim(word(r.Unit), "_"), "ratio"))
}

// Heading shows what the columns are.
func Heading() {
	fmt.Printf("\n> %-58s %11s %11s %9s  %-9s %-3s  %s\n", "", "ours", "reference", "result", "aim", "met", "reference is")
}

// Line is one line of the file of what was measured; one of its fields is set.
type Line struct {
	Row   *Row   `json:",omitempty"`
	Curve *Curve `json:",omitempty"`
}

// gather adds a line to the file that MEASURED names.
func gather(tb testing.TB, l Line) {
	tb.Helper()
	text, err := json.Marshal(l)
	if err != nil {
		tb.Fatal(err)
	}
	appendTo(tb, os.Getenv("MEASURED"), string(text)+"\n")
}

// appendTo adds text to a file; without a name it does nothing.
func appendTo(tb testing.TB, name, text string) {
	tb.Helper()
	if name == "" {
		return
	}
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Close()); err != nil {
		tb.Fatal(err)
	}
}
