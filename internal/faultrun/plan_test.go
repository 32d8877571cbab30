package faultrun

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// size is how much happens in a run.
type size struct {
	events, faults int
	// span is how long events and faults begin to happen.
	span time.Duration
	// clocks says whether the programs' clocks are stepped too.
	clocks bool
}

// plan is everything that a seed decides: which events and faults, when, to whom and for
// how long. What comes of it depends on the machine's timing.
type plan struct {
	events []plannedEvent
	faults []plannedFault
}

type plannedEvent struct {
	at time.Duration
	kind
	// n is the event's own number; repeats is how often it is delivered once more.
	n, repeats, door int
	dice             *rand.Rand
}

type plannedFault struct {
	fault
	at, lasts time.Duration
	// of is which one of the targets.
	of   int
	dice *rand.Rand
}

func (f plannedFault) String() string {
	return fmt.Sprintf("%s %d for %s", f.name, f.of+1, f.lasts.Round(time.Millisecond))
}

// newPlan throws the dice. Every event and fault has dice of its own, as their turn may
// come in another order on another day.
func newPlan(seed uint64, s size, table []fault) plan {
	dice := rand.New(rand.NewPCG(seed, 1))
	own := func(n int) *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(1000+n))) }
	var p plan
	busy, last := map[string]time.Duration{}, s.span
	for n := range s.faults {
		f := plannedFault{fault: table[draw(dice, len(table), func(i int) int { return table[i].weight })], dice: own(1e6 + n)}
		f.of = dice.IntN(f.on.of)
		f.lasts = rand64(dice, f.shortest, f.longest)
		befalls := fmt.Sprint(f.on.name, f.of)
		f.at = max(rand64(dice, 0, s.span), busy[befalls])
		// A while for the target to come back: it must meet the next fault alive.
		busy[befalls] = f.at + f.lasts + 3*time.Second
		last = max(last, f.at+f.lasts)
		p.faults = append(p.faults, f)
	}
	for n := range s.events {
		e := plannedEvent{at: rand64(dice, 0, last), n: n, door: dice.IntN(2), dice: own(n)}
		if dice.IntN(2) == 0 {
			// Half of them come while something breaks.
			at := p.faults[dice.IntN(len(p.faults))].at
			e.at = rand64(dice, max(0, at-time.Second/2), at+3*time.Second/2)
		}
		e.kind = kinds()[draw(dice, len(kinds()), func(i int) int { return kinds()[i].weight })]
		if dice.IntN(3) == 0 {
			e.repeats = 1 + dice.IntN(2)
		}
		p.events = append(p.events, e)
	}
	slices.SortStableFunc(p.events, func(a, b plannedEvent) int { return int(a.at - b.at) })
	slices.SortStableFunc(p.faults, func(a, b plannedFault) int { return int(a.at - b.at) })
	return p
}

func rand64(dice *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(dice.Int64N(int64(to-from)+1))
}

// draw picks an index by weight.
func draw(dice *rand.Rand, n int, weight func(int) int) int {
	sum := 0
	for i := range n {
		sum += weight(i)
	}
	at := dice.IntN(sum)
	for i := range n {
		if at -= weight(i); at < 0 {
			return i
		}
	}
	return n - 1
}
