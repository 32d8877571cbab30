package faultrun

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// report is what a run comes to.
type report struct {
	seed     uint64
	topology string
	out      io.Writer
	// started is when the run began, ready when all its programs ran.
	started, ready time.Time

	mu     sync.Mutex
	faults map[string]int
	// events were sent, acknowledged of them answered with 200; repeated deliveries came
	// after that.
	events, acknowledged, repeated int
	// messages is what Notify accepted.
	messages      int
	lost, doubled int
	tickCount     int
	// longest is from the first 200 to the acceptance of a message.
	longest time.Duration
	faulty  []string
}

// say is a line of progress.
func (r *report) say(format string, args ...any) {
	fmt.Fprintf(r.out, "%s seed %d +%3.0fs  %s\n", time.Now().UTC().Format(clockFormat), r.seed, time.Since(r.started).Seconds(), fmt.Sprintf(format, args...))
}

func (r *report) count(fault string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.faults == nil {
		r.faults = map[string]int{}
	}
	r.faults[fault]++
}

// wrong notes a broken promise.
func (r *report) wrong(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faulty = append(r.faulty, fmt.Sprintf(format, args...))
}

// print shows the table, and adds a line to CHAOS_REPORT, from which scripts/chaos sums
// up. A run in which anything is wrong fails.
func (r *report) print(t *testing.T) {
	t.Helper()
	for _, line := range r.faulty {
		t.Error(line)
	}
	sum := 0
	var kinds []string
	for _, name := range slices.Sorted(maps.Keys(r.faults)) {
		sum += r.faults[name]
		kinds = append(kinds, fmt.Sprintf("%s=%d", name, r.faults[name]))
	}
	fmt.Fprintf(r.out, `
  seed %d, %s Redis, %.0f s
  events         %6d   %d acknowledged, %d delivered again after that
  messages       %6d
  ticks          %6d
  faults         %6d   %s
  lost           %6d
  doubled        %6d
  otherwise wrong%6d
  longest wait   %6.0f s from the acknowledgement to the message

`, r.seed, r.topology, time.Since(r.started).Seconds(), r.events, r.acknowledged, r.repeated, r.messages, r.tickCount,
		sum, strings.Join(kinds, " "), r.lost, r.doubled, len(r.faulty)-r.lost, r.longest.Seconds())
	name := os.Getenv("CHAOS_REPORT")
	if name == "" {
		return
	}
	line := fmt.Sprintf("seed=%d topology=%s events=%d acknowledged=%d repeated=%d messages=%d ticks=%d faults=%d lost=%d doubled=%d wrong=%d longest=%.0f took=%.0f %s\n",
		r.seed, r.topology, r.events, r.acknowledged, r.repeated, r.messages, r.tickCount, sum, r.lost, r.doubled, len(r.faulty),
		r.longest.Seconds(), time.Since(r.started).Seconds(), strings.Join(kinds, " "))
	file, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if _, err := io.WriteString(file, line); err != nil {
		t.Fatal(err)
	}
}
