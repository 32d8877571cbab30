package journeys

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/notify/notifytest"
	"github.com/govwifi/user-signup/internal/queue"
)

// The benchmarks measure the real programs, each once, and print a table of their own
// (scripts/bench shows nothing else): most figures mean something only beside their
// reference, measured in the same run. Redis fsyncs every write, as it must in
// production. The load, the stand-ins and the servers share the machine's cores with
// what is measured.

// round is how long each timed round of BenchmarkDoor lasts.
func round(b *testing.B) time.Duration {
	b.Helper()
	text := os.Getenv("DURATION")
	if text == "" {
		return 3 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		b.Fatalf("DURATION: %v", err)
	}
	return d
}

// say prints a line that scripts/bench picks out of Go's own.
func say(format string, args ...any) { fmt.Printf("\n> "+format+"\n", args...) }

// heading opens the table, once.
var heading = sync.OnceFunc(func() {
	load, _ := os.ReadFile("/proc/loadavg") // only Linux tells
	say("%d cores, %s/%s, load average before the start %.14s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, load)
	row("", "ours", "reference", "ratio", "reference is")
})

func row(what, ours, reference, ratio, is string) {
	say("%-46s %11s %11s %7s  %s", what, ours, reference, ratio, is)
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

// ratio of two numbers.
func ratio[N int | float64 | time.Duration](a, b N) string {
	return fmt.Sprintf("%.2f", float64(a)/float64(b))
}

// quantile of sorted values.
func quantile(sorted []time.Duration, percent int) time.Duration {
	return sorted[min(len(sorted)-1, len(sorted)*percent/100)]
}

// newBench is a town whose Redis writes everything to disk before it answers.
func newBench(b *testing.B) *town {
	b.Helper()
	heading()
	w := newTown(b).migrate()
	if err := w.rdb().ConfigSet(b.Context(), "appendfsync", "always").Err(); err != nil {
		b.Fatal(err)
	}
	return w
}

// flush empties Redis between rounds.
func (w *town) flush() {
	w.Helper()
	if err := w.rdb().FlushAll(w.Context()).Err(); err != nil {
		w.Fatal(err)
	}
}

// BenchmarkDoor counts acknowledged texts.
func BenchmarkDoor(b *testing.B) {
	w := newBench(b)
	w.open(nil)
	bare := start(b, nil, "bare", "door", w.redis.Addr)
	doors := []string{strings.TrimPrefix(w.world.Ingest, "http://"), bare.said(`listening on (\S+)`)}
	for _, door := range doors {
		_ = w.load(door, time.Second)
	}
	var rates [2][]float64
	var latencies [2][]time.Duration
	for range 3 {
		for i, door := range doors {
			w.flush()
			got := w.load(door, round(b))
			rates[i] = append(rates[i], float64(len(got))/round(b).Seconds())
			latencies[i] = append(latencies[i], got...)
		}
	}
	for i := range doors {
		slices.Sort(rates[i])
		slices.Sort(latencies[i])
	}
	row("texts acknowledged/s, 32 connections", fmt.Sprintf("%.0f", rates[0][1]), fmt.Sprintf("%.0f", rates[1][1]),
		ratio(rates[0][1], rates[1][1]), "net/http + asynq.Client.Enqueue, nothing else")
	for _, percent := range []int{50, 99} {
		ours, theirs := quantile(latencies[0], percent), quantile(latencies[1], percent)
		row(fmt.Sprintf("  p%d of an answer", percent), ms(ours), ms(theirs), ratio(ours, theirs), "the same")
	}
}

// enqueue queues texts of distinct people.
func (w *town) enqueue(n int) {
	w.Helper()
	var u queue.URL
	if err := u.UnmarshalText([]byte(w.redis.URL)); err != nil {
		w.Fatal(err)
	}
	rdb := u.Connect(queue.Patient)
	defer func() { _ = rdb.Close() }()
	client := queue.NewClient(rdb, nil)
	var wait sync.WaitGroup
	for i := range 32 {
		wait.Go(func() {
			for k := i; k < n; k += 32 {
				text := job.Text{MessageID: uuid.NewString(), Number: "+" + phone(w.people+k), Destination: "07537417417", Text: "Go", ReceivedAt: time.Now()}
				if err := client.Enqueue(w.Context(), job.SignupSMS{Text: text}); err != nil {
					w.Error(err)
				}
			}
		})
	}
	wait.Wait()
	w.people += n
}

// throughput is how many of n queued texts are done per second, beginning and end
// left out.
func (w *town) throughput(n int) float64 {
	w.Helper()
	rdb := w.rdb()
	reached := func(want int) time.Time {
		for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
			done, _ := rdb.Get(w.Context(), "asynq:{interactive}:processed").Int() // absent at first
			if done >= want {
				return time.Now()
			}
			if time.Now().After(deadline) {
				w.Fatalf("%d of %d jobs were done", done, n)
			}
		}
	}
	from := reached(n / 10)
	to := reached(n * 9 / 10)
	reached(n)
	return float64(n*9/10-n/10) / to.Sub(from).Seconds()
}

// BenchmarkWorker counts sign-ups by text through one worker.
func BenchmarkWorker(b *testing.B) {
	w := newBench(b)
	const n = 2000
	var ours, bare []float64
	for range 2 {
		w.flush()
		w.enqueue(n)
		worker := w.work(environment{"NOTIFY_MESSAGES_PER_MINUTE": "0"})
		ours = append(ours, w.throughput(n))
		worker.kill()
		w.flush()
		w.enqueue(n)
		nothing := start(b, nil, "bare", "work", w.redis.Addr, "32")
		bare = append(bare, w.throughput(n))
		nothing.kill()
	}
	if got := len(w.notify.Accepted()); got != 2*n {
		b.Errorf("%d messages for %d sign-ups", got, 2*n)
	}
	o, r := slices.Max(ours), slices.Max(bare)
	row("sign-ups/s, one worker, 32 places, instant Notify", fmt.Sprintf("%.0f", o), fmt.Sprintf("%.0f", r), ratio(o, r), "asynq with a handler that does nothing")
}

// notifyLatency is what GOV.UK Notify takes to accept a message, about.
const notifyLatency = 50 * time.Millisecond

// BenchmarkBatch times a sponsor's mail with 1,000 guests.
func BenchmarkBatch(b *testing.B) {
	w := newBench(b)
	w.notify.Play(notifytest.Always(notifytest.Fault{Delay: notifyLatency}))
	w.open(nil)
	const guests, sample = 1000, 41
	alone := w.work(environment{"NOTIFY_MESSAGES_PER_MINUTE": "0", "WORKER_CONCURRENCY": "1"})
	w.deliver(w.batch("sample", sample))
	got := w.received(sample+1, time.Minute)
	alone.kill()
	oneByOne := got[sample-1].At.Sub(got[0].At) / (sample - 1) * guests

	w.work(environment{"NOTIFY_MESSAGES_PER_MINUTE": "0"})
	started := time.Now()
	w.deliver(w.batch("guest", guests))
	got = w.received(sample+1+guests+1, 2*time.Minute)
	took := got[len(got)-1].At.Sub(started)
	row("1,000 guests to the receipt, Notify takes 50 ms", fmt.Sprintf("%.1f s", took.Seconds()), fmt.Sprintf("%.1f s", oneByOne.Seconds()),
		ratio(took, oneByOne), fmt.Sprintf("one by one, from a sample of %d", sample-1))
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

// BenchmarkFairness times answers to texts beside a sponsor's mail with 2,000 guests,
// under the message budget as it is by default.
func BenchmarkFairness(b *testing.B) {
	w := newBench(b)
	w.notify.Play(notifytest.Always(notifytest.Fault{Delay: notifyLatency}))
	w.open(nil)
	w.work(nil)
	const texts, guests = 30, 2000
	_ = w.answers(3)
	idle := w.answers(texts)
	w.deliver(w.batch("guest", guests))
	before := len(w.received(len(w.notify.Accepted())+200, time.Minute)) // the budget's reserve is spent
	busy := w.answers(texts)
	meanwhile := len(w.notify.Accepted()) - before - texts
	if meanwhile < 100 || before+meanwhile > guests {
		b.Errorf("%d guests were served meanwhile: the batch was not in progress", meanwhile)
	}
	for _, percent := range []int{50, 95} {
		slow, fast := quantile(busy, percent), quantile(idle, percent)
		row(fmt.Sprintf("p%d of an answer to a text, amid 2,000 guests", percent), ms(slow), ms(fast), ratio(slow, fast), fmt.Sprintf("an idle system (limit 2); %d guests served meanwhile", meanwhile))
		if percent == 50 && slow > 2*fast {
			b.Errorf("a batch makes people wait: %s instead of %s", slow, fast)
		}
	}
}

// BenchmarkMemory looks at one worker before and after a mail with 5,000 guests, the
// most that one may have.
func BenchmarkMemory(b *testing.B) {
	w := newBench(b)
	w.open(nil)
	worker := w.work(environment{"NOTIFY_MESSAGES_PER_MINUTE": "0"})
	_ = w.answers(3)
	before := worker.settled()
	const guests = 5000
	w.deliver(w.batch("guest", guests))
	w.received(3+guests+1, 3*time.Minute)
	after := worker.settled()
	mb := func(kB int) string { return fmt.Sprintf("%.0f MB", float64(kB)/1024) }
	row("memory of a worker after 5,000 guests", mb(after), mb(before), ratio(after, before), "before; at most "+mb(worker.memory("VmHWM")))
}

// settled waits until the garbage collector has given back what it will, which it
// only does while there is something to do: metrics are scraped meanwhile.
func (p *program) settled() int {
	p.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		request, err := http.NewRequestWithContext(context.WithoutCancel(p.Context()), http.MethodGet, "http://"+p.admin+"/metrics", nil)
		if err != nil {
			p.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			p.Fatal(err)
		}
		_ = response.Body.Close()
	}
	return p.memory("VmRSS")
}
