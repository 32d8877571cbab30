package journeys

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/measure"
	"github.com/govwifi/user-signup/internal/notify/notifytest"
)

// BenchmarkBatch times a sponsor's mail with 1,000 guests.
func BenchmarkBatch(b *testing.B) {
	w := newBench(b)
	w.notify.Play(notifytest.Always(notifytest.Fault{Delay: notifyLatency}))
	w.open(nil)
	const guests, sample = 1000, 41
	alone := w.work(unlimited.with(environment{"WORKER_CONCURRENCY": "1"}))
	w.deliver(w.batch("sample", sample))
	got := w.received(sample+1, time.Minute)
	alone.kill()
	oneByOne := got[sample-1].At.Sub(got[0].At) / (sample - 1) * guests

	worker := w.work(unlimited)
	defer worker.profile("batch")()
	took := w.served("guest", guests)
	measure.Row{What: "1,000 guests to the receipt, Notify takes 50 ms", Ours: fmt.Sprintf("%.2f s", took.Seconds()),
		Reference: fmt.Sprintf("%.1f s", oneByOne.Seconds()), Result: oneByOne.Seconds() / took.Seconds(), Unit: "× faster", AtLeast: 25,
		Is: fmt.Sprintf("one after the other, from a sample of %d", sample-1)}.Report(b)
}

// served delivers a batch and returns the time until the sponsor's receipt.
func (w *town) served(name string, guests int) time.Duration {
	w.Helper()
	before := len(w.notify.Accepted())
	e := w.batch(name, guests)
	started := time.Now()
	w.deliver(e)
	got := w.received(before+guests+1, 3*time.Minute)
	return got[len(got)-1].At.Sub(started)
}

// answers sends texts, a little apart, and returns how long each waited for its
// credentials, sorted.
func (w *town) answers(n int) []time.Duration {
	w.Helper()
	sent := map[string]time.Time{}
	for range n {
		e := w.world.Text(phone(w.people), "Go")
		w.people++
		sent[e.ID] = time.Now()
		w.deliver(e)
		time.Sleep(400 * time.Millisecond)
	}
	var waits []time.Duration
	for deadline := time.Now().Add(time.Minute); len(waits) < n; {
		if time.Now().After(deadline) {
			w.Fatalf("%d of %d texts were answered", len(waits), n)
		}
		waits = nil
		for _, m := range w.notify.Accepted() {
			if at, ours := sent[m.Reference]; ours {
				waits = append(waits, m.At.Sub(at))
			}
		}
	}
	slices.Sort(waits)
	return waits
}

// BenchmarkFairness times answers to texts beside two sponsors' mails with 10,000 guests
// together, under the message budget as it is by default.
func BenchmarkFairness(b *testing.B) {
	w := newBench(b)
	w.notify.Play(notifytest.Always(notifytest.Fault{Delay: notifyLatency}))
	w.open(nil)
	w.work(nil)
	const texts, guests = 30, 5000
	_ = w.answers(3)
	idle := w.answers(texts)
	w.deliver(w.batch("guest", guests))
	w.deliver(w.batch("another", guests))
	before := len(w.received(len(w.notify.Accepted())+200, time.Minute)) // the budget's reserve is spent
	busy := w.answers(texts)
	meanwhile := len(w.notify.Accepted()) - before - texts
	if meanwhile < 100 || before+meanwhile > 2*guests {
		b.Errorf("%d guests were served meanwhile: the batch was not in progress", meanwhile)
	}
	is := fmt.Sprintf("an idle system; %d guests served meanwhile", meanwhile)
	slow, fast := quantile(busy, 50), quantile(idle, 50)
	measure.Row{What: "p50 of a text's wait amid 10,000 guests", Ours: ms(slow), Reference: ms(fast),
		Result: float64(slow) / float64(fast), AtMost: 2, Is: is}.Report(b)
	slow, fast = busy[texts-1], idle[texts-1]
	measure.Row{What: "longest of these waits", Ours: ms(slow), Reference: ms(fast), Result: slow.Seconds(), Unit: "s", AtMost: 2, Is: is}.Report(b)
	if slow > 2*time.Second {
		b.Errorf("a batch makes people wait: %s", slow)
	}
}

// BenchmarkGuests looks at how the time of a batch grows with it.
func BenchmarkGuests(b *testing.B) {
	w := newBench(b)
	w.open(nil)
	w.work(unlimited)
	_ = w.answers(1)
	curve := measure.Curve{Name: "batch", Title: "A sponsor's mail, from the webhook to the receipt", X: "guests", Y: "seconds, Notify answering at once"}
	for guests := 50; guests <= 5000; guests *= 10 {
		took := w.served(fmt.Sprintf("of%d-", guests), guests)
		curve.Points = append(curve.Points, measure.Point{X: float64(guests), Y: took.Seconds()})
	}
	curve.Report(b)
}
