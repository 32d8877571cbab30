// Command table writes what `make bench` measured where people read it: the table and
// the plots of docs/performance.md, and two lines of README.md.
//
//	table MEASURED COMMAND
//
// MEASURED is the file that the benchmarks filled. Only what lies between the markers
// <!-- measured --> and <!-- /measured --> is written; the words around it are people's.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/govwifi/user-signup/internal/measure"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: table MEASURED COMMAND")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(measured, command string) error {
	text, err := os.ReadFile(measured)
	if err != nil {
		return fmt.Errorf("read what was measured: %w", err)
	}
	rows, curves, err := read(text)
	if err != nil {
		return err
	}
	about := conditions(command) // before the first plot is written: git would call the commit dirty
	for _, c := range curves {
		if err := os.WriteFile("docs/growth-"+c.Name+".svg", []byte(c.SVG()), 0o644); err != nil {
			return fmt.Errorf("write a plot: %w", err)
		}
	}
	if err := between("docs/performance.md", page(rows, curves, about)); err != nil {
		return err
	}
	return between("README.md", summary(rows))
}

func read(text []byte) (rows []measure.Row, curves []measure.Curve, err error) {
	for decoder := json.NewDecoder(bytes.NewReader(text)); decoder.More(); {
		var l measure.Line
		if err := decoder.Decode(&l); err != nil {
			return nil, nil, fmt.Errorf("read what was measured: %w", err)
		}
		if l.Row != nil {
			rows = append(rows, *l.Row)
		}
		if l.Curve != nil {
			curves = append(curves, *l.Curve)
		}
	}
	return rows, curves, nil
}

// conditions is what the figures depend on.
func conditions(command string) string {
	load, _ := os.ReadFile("/proc/loadavg") // only Linux tells
	commit, _ := exec.Command("git", "describe", "--always", "--dirty").Output()
	return fmt.Sprintf("`%s` at commit %s on %s UTC: %s, %d cores, %s/%s, %s; load average at the end %s.\n",
		command, strings.TrimSpace(string(commit)), time.Now().UTC().Format("2 January 2006, 15:04"), processor(), runtime.NumCPU(),
		runtime.GOOS, runtime.GOARCH, runtime.Version(), strings.Join(strings.Fields(string(load) + " ? ? ?")[:3], " "))
}

// processor is the name that Linux gives it.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}

func page(rows []measure.Row, curves []measure.Curve, conditions string) string {
	var b strings.Builder
	b.WriteString(conditions)
	b.WriteString("\n| what | ours | reference | result | aim | met | the reference is |\n|---|--:|--:|--:|--:|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", r.What, r.Ours, r.Reference, r.Shown(), r.Aim(), r.Met(), r.Is)
	}
	b.WriteString("\n### Growth\n")
	for _, c := range curves {
		fmt.Fprintf(&b, "\n**%s.** %s\n\n![%s](growth-%s.svg)\n", c.Title, c.Shape(), c.Title, c.Name)
	}
	return b.String()
}

// summary is the rows that README.md shows.
func summary(rows []measure.Row) string {
	var b strings.Builder
	b.WriteString("| `make bench` on the machine named in [docs/performance.md](docs/performance.md) | ours | reference | the reference is |\n|---|--:|--:|---|\n")
	for _, r := range rows {
		if r.Summary {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.What, r.Ours, r.Reference, r.Is)
		}
	}
	return b.String()
}

const opening, closing = "<!-- measured -->", "<!-- /measured -->"

// between replaces what a file has between the markers.
func between(name, text string) error {
	old, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	before, rest, opened := strings.Cut(string(old), opening)
	_, after, closed := strings.Cut(rest, closing)
	if !opened || !closed {
		return fmt.Errorf("%s has no %s … %s to write between", name, opening, closing)
	}
	if err := os.WriteFile(name, []byte(before+opening+"\n"+text+closing+after), 0o644); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
