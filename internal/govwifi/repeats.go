package govwifi

import (
	"slices"
	"time"
)

// The rule against answering a machine for ever (docs/rules.md, Which reply a text
// gets). "Within" includes the edge: texts exactly 15 minutes apart are within 15
// minutes.
const (
	// SameTextLimit is which text of the same words from one number is not answered.
	SameTextLimit  = 3
	SameTextWindow = 15 * time.Minute
	// AnyTextLimit is which text from one number is not answered, whatever it says.
	AnyTextLimit  = 10
	AnyTextWindow = 5 * time.Minute
)

// Repeats applies the rule to texts that all lie before us, as those in Notify's list
// do, and returns the ids of those that are one too many. It judges each by the texts
// before it, so that the answer is the same however often and late it is asked; the
// first texts of the list have nothing before them.
func Repeats(texts []IncomingText) map[string]bool {
	texts = slices.Clone(texts)
	slices.SortStableFunc(texts, func(a, b IncomingText) int { return a.At.Compare(b.At) })
	type words struct {
		from Contact
		text string
	}
	byNumber, byWords := map[Contact][]time.Time{}, map[words][]time.Time{}
	repeats := map[string]bool{}
	for _, t := range texts {
		w := words{t.From, t.Text}
		byNumber[t.From], byWords[w] = append(byNumber[t.From], t.At), append(byWords[w], t.At)
		if crowded(byNumber[t.From], AnyTextLimit, AnyTextWindow) || crowded(byWords[w], SameTextLimit, SameTextWindow) {
			repeats[t.ID] = true
		}
	}
	return repeats
}

// crowded says whether the last limit of the times lie within the window.
func crowded(times []time.Time, limit int, window time.Duration) bool {
	n := len(times)
	return n >= limit && times[n-1].Sub(times[n-limit]) <= window
}
