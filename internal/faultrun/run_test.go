// Package faultrun kills, freezes, cuts off and fills up every part of a whole
// installation while events stream in, and then counts: for each event that was
// acknowledged, exactly one message (docs/reliability.md). Every part is the real
// program in a process of its own; stand-ins play GOV.UK Notify, S3 and SNS.
//
// A seed decides the events and the faults. `make chaos` runs many seeds, the tests two.
package faultrun

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// short is the version that `make test` runs; long is one seed of `make chaos`.
var (
	short = size{events: 60, faults: 10, span: 25 * time.Second}
	long  = size{events: 250, faults: 40, span: 100 * time.Second, clocks: true}
)

// TestFaults is the fault run. Without CHAOS_SEED it is the short version, once in each
// topology; with it, the long version of that seed. Odd seeds run under Sentinel, even
// ones on a single Redis.
func TestFaults(t *testing.T) {
	t.Parallel()
	seeds, s := []uint64{1, 2}, short
	if text := os.Getenv("CHAOS_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("CHAOS_SEED is no number: %v", err)
		}
		seeds, s = []uint64{seed}, long
	}
	s.events, s.faults = number(t, "CHAOS_EVENTS", s.events), number(t, "CHAOS_FAULTS", s.faults)
	s.span = time.Duration(number(t, "CHAOS_SECONDS", int(s.span.Seconds()))) * time.Second
	bin := os.Getenv("CHAOS_BIN")
	if bin == "" {
		bin = t.TempDir()
		if err := build(bin, s.clocks); err != nil {
			t.Fatal(err)
		}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			run(t, seed, s, bin)
		})
	}
}

// TestBuildWithClocks is what CHAOS_BUILD asks for: scripts/chaos compiles the programs
// once for all seeds.
func TestBuildWithClocks(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("CHAOS_BUILD")
	if dir == "" {
		// What is compiled for the run is the standard library as it is, and one line.
		if _, err := writeOverlay(t.TempDir()); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := build(dir, true); err != nil {
		t.Fatal(err)
	}
}

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s must be a number above 0", name)
	}
	return n
}

// run plays one seed.
func run(t *testing.T, seed uint64, s size, bin string) {
	failover := seed%2 == 1
	table := faults(failover, s.clocks)
	p := newPlan(seed, s, table)
	started := time.Now()
	w := newScene(t, bin, failover)
	r := &report{seed: seed, topology: map[bool]string{true: "sentinel", false: "single"}[failover], out: t.Output(), started: started}
	r.ready = time.Now()
	r.say("everything runs; %d events and %d faults within %s; logs in %s", len(p.events), len(p.faults), s.span, w.logs)
	senders := &senders{w: w}
	play(w, p, senders, r)
	r.say("faults have ceased")
	senders.wait.Wait()
	settle(w, r)
	recoverBy(w, r)
	r.conclude(w, senders.sent)
	r.print(t)
}

// moment is a point of the timeline.
type moment struct {
	at time.Duration
	do func()
}

// play lets events and faults happen when their time has come, one after another.
func play(w *scene, p plan, senders *senders, r *report) {
	var moments []moment
	for _, e := range p.events {
		moments = append(moments, moment{e.at, func() {
			for _, made := range e.make(w, e.n, e.dice) {
				made.kind = e.name
				senders.send(made, e.repeats, e.door)
			}
		}})
	}
	for _, f := range p.faults {
		end := func() {}
		moments = append(moments, moment{f.at, func() {
			r.say("%s", f)
			r.count(f.name)
			end = f.begin(w, f.of, f.dice)
		}}, moment{f.at + f.lasts, func() { end() }})
	}
	slices.SortStableFunc(moments, func(a, b moment) int { return int(a.at - b.at) })
	start := time.Now()
	for _, m := range moments {
		time.Sleep(time.Until(start.Add(m.at)))
		m.do()
	}
}

// logFolder is where every process writes: in CHAOS_LOGS, or gone with the test.
func logFolder(t testing.TB, dir string) string {
	t.Helper()
	logs := filepath.Join(dir, "logs")
	if keep := os.Getenv("CHAOS_LOGS"); keep != "" {
		logs = filepath.Join(keep, strings.ReplaceAll(filepath.Base(t.Name()), "_", "-"))
	}
	if err := os.MkdirAll(logs, 0o700); err != nil {
		t.Fatal(err)
	}
	return logs
}

func healthy(door string) bool {
	response, err := http.Get(door + "/healthcheck")
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}
