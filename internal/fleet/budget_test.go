package fleet

import (
	"container/heap"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// fleetOf is a budget whose clock is the test's, and the queues around it: who is
// refused comes back when told, at the next full second, as asynq looks for due jobs
// once a second.
type fleetOf struct {
	t      *testing.T
	rdb    *redis.Client
	budget *Budget
	now    time.Duration
	random *rand.Rand
	asks   asks
	sent   []sending
	asked  int
}

// ask is a job that will ask for its message.
type ask struct {
	at, since time.Duration
	class     Class
}

type sending struct {
	ask
	at time.Duration
}

type asks []ask

func (a asks) Len() int           { return len(a) }
func (a asks) Less(i, j int) bool { return a[i].at < a[j].at }
func (a asks) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *asks) Push(x any)        { *a = append(*a, x.(ask)) }
func (a *asks) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// virtualClock reads the time that the test wrote.
const virtualClock = `local now = tonumber(redis.call('GET', 'clock')) `

const epoch = 1_768_500_000 * time.Second

func newFleet(t *testing.T, perMinute int) *fleetOf {
	t.Helper()
	if !strings.HasPrefix(takeSource, clockSource) || !strings.HasPrefix(pauseSource, clockSource) {
		t.Fatal("the scripts do not begin with the clock")
	}
	rdb := connect(t)
	budget := NewBudget(rdb, perMinute)
	budget.take = redis.NewScript(virtualClock + strings.TrimPrefix(takeSource, clockSource))
	budget.pause = redis.NewScript(virtualClock + strings.TrimPrefix(pauseSource, clockSource))
	f := &fleetOf{t: t, rdb: rdb, budget: budget, random: rand.New(rand.NewPCG(1, 2))}
	f.set(0)
	return f
}

func (f *fleetOf) set(now time.Duration) {
	f.now = now
	if err := f.rdb.Set(f.t.Context(), "clock", (epoch + now).Microseconds(), 0).Err(); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fleetOf) take(class Class) time.Duration {
	f.t.Helper()
	f.asked++
	wait, err := f.budget.Take(f.t.Context(), class)
	if err != nil {
		f.t.Fatal(err)
	}
	return wait
}

// queue adds n jobs, one every so often from the given time.
func (f *fleetOf) queue(class Class, n int, from, apart time.Duration) {
	for i := range n {
		at := from + time.Duration(i)*apart
		heap.Push(&f.asks, ask{at: at, since: at, class: class})
	}
}

// run lets time pass until then.
func (f *fleetOf) run(until time.Duration) {
	for f.asks.Len() > 0 && f.asks[0].at < until {
		next := heap.Pop(&f.asks).(ask)
		if next.at > f.now {
			f.set(next.at)
		}
		wait := f.take(next.class)
		if wait == 0 {
			f.sent = append(f.sent, sending{next, f.now})
			continue
		}
		next.at = (f.now + wait).Truncate(time.Second) + time.Second + time.Duration(f.random.Int64N(int64(100*time.Millisecond)))
		heap.Push(&f.asks, next)
	}
	f.set(until)
}

// count is the number of messages of a class (or "" for all) sent in [from, to).
func (f *fleetOf) count(class Class, from, to time.Duration) (n int) {
	for _, s := range f.sent {
		if s.at >= from && s.at < to && (class == "" || s.class == class) {
			n++
		}
	}
	return n
}

// slowest is the longest that a message of the class waited.
func (f *fleetOf) slowest(class Class) (slowest time.Duration) {
	for _, s := range f.sent {
		if s.class == class {
			slowest = max(slowest, s.at-s.since)
		}
	}
	return slowest
}

// checkNotify feeds what was sent to Notify's own bucket: 50 a second, 1000 at most.
func (f *fleetOf) checkNotify() {
	f.t.Helper()
	tokens, last := 1000.0, time.Duration(0)
	for _, s := range f.sent {
		tokens = min(1000, tokens+(s.at-last).Seconds()*50) - 1
		last = s.at
		if tokens < 1 {
			f.t.Fatalf("Notify answers 429 after %s", s.at)
		}
	}
}

// checkKept checks that no stretch of time holds more than the rate and the burst.
func (f *fleetOf) checkKept(perMinute int) {
	f.t.Helper()
	rate := max(1, float64(perMinute)/60)
	allowance := 4 * rate // as the bucket, kept apart
	var last time.Duration
	for _, s := range f.sent {
		allowance = min(4*rate, allowance+(s.at-last).Seconds()*float64(perMinute)/60) - 1
		last = s.at
		if allowance < -0.001 {
			f.t.Fatalf("over the budget after %s", s.at)
		}
	}
}

const minute = time.Minute

// A batch alone uses what there is, and asks little for it.
func TestBudgetIsUsed(t *testing.T) {
	t.Parallel()
	for _, class := range []Class{Interactive, Batch, Maintenance} {
		t.Run(string(class), func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, 2400)
			f.queue(class, 5000, 0, 200*time.Microsecond)
			f.run(10 * minute)
			for m := range 2 * minute / minute {
				if n := f.count("", m*minute, (m+1)*minute); n < 2400*95/100 {
					t.Errorf("minute %d: sent %d of 2400", m, n)
				}
			}
			if len(f.sent) != 5000 || f.sent[4999].at > 5000*minute/2400*105/100 {
				t.Errorf("sent %d, the last after %s", len(f.sent), f.sent[len(f.sent)-1].at)
			}
			if f.asked > 12_500 {
				t.Errorf("asked %d times for 5000 messages", f.asked)
			}
			f.checkKept(2400)
			f.checkNotify()
		})
	}
}

func TestBudgetServesPeopleFirst(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2400)
	f.queue(Maintenance, 2000, 0, 200*time.Microsecond)
	f.queue(Batch, 10_000, 0, 200*time.Microsecond)
	for s := range 3 * 60 { // 5 people a second, and once in 20 s thirty at once
		f.queue(Interactive, 5, time.Duration(s)*time.Second+300*time.Millisecond, 7*time.Millisecond)
		if s%20 == 10 {
			f.queue(Interactive, 30, time.Duration(s)*time.Second, time.Millisecond)
		}
	}
	f.run(3 * minute)
	if slowest := f.slowest(Interactive); slowest > 2*time.Second {
		t.Errorf("a person waited %s", slowest)
	}
	for m := range 3 * minute / minute {
		from, to := m*minute, (m+1)*minute
		all, batch, maintenance := f.count("", from, to), f.count(Batch, from, to), f.count(Maintenance, from, to)
		t.Logf("minute %d: %d sent: %d batch, %d maintenance", m, all, batch, maintenance)
		if all < 2400*95/100 {
			t.Errorf("minute %d: sent %d of 2400", m, all)
		}
		if maintenance < 50 || maintenance > 2400*6/100 {
			t.Errorf("minute %d: %d of maintenance, want little, but some", m, maintenance)
		}
		if batch < 2400*75/100 {
			t.Errorf("minute %d: %d of the batch", m, batch)
		}
	}
	f.checkKept(2400)
	f.checkNotify()
}

// More people than the budget allows: they get nearly all, the others do not starve.
func TestBudgetStarvesNobody(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1200)
	f.queue(Batch, 2000, 0, time.Millisecond)
	f.queue(Maintenance, 2000, 0, time.Millisecond)
	f.queue(Interactive, 30*180, 0, time.Second/30)
	f.run(3 * minute)
	for m := range 3 * minute / minute {
		from, to := m*minute, (m+1)*minute
		people, batch, maintenance := f.count(Interactive, from, to), f.count(Batch, from, to), f.count(Maintenance, from, to)
		t.Logf("minute %d: %d interactive, %d batch, %d maintenance", m, people, batch, maintenance)
		if people < 1200*85/100 || batch < 20 || maintenance < 20 {
			t.Errorf("minute %d: %d interactive, %d batch, %d maintenance", m, people, batch, maintenance)
		}
	}
	f.checkKept(1200)
}

// What each class may take out of a full bucket, one after the other.
func TestBudgetReserves(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		perMinute                       int
		maintenance, batch, interactive int
	}{{2400, 80, 40, 40}, {60, 2, 1, 1}, {1, 2, 1, 1}} {
		f := newFleet(t, test.perMinute)
		for _, step := range []struct {
			class Class
			want  int
		}{{Maintenance, test.maintenance}, {Batch, test.batch}, {Interactive, test.interactive}} {
			got := 0
			for f.take(step.class) == 0 {
				got++
			}
			if got != step.want {
				t.Errorf("%d a minute: %s takes %d, want %d", test.perMinute, step.class, got, step.want)
			}
		}
		if wait, want := f.take(Interactive), minute/time.Duration(test.perMinute); wait < want || wait > 2*want {
			t.Errorf("%d a minute: the next but one in line waits %s, want about %s", test.perMinute, wait, 19*want/10)
		}
	}
}

func TestBudgetPauses(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2400)
	f.set(time.Second)
	for _, wait := range []time.Duration{5 * time.Second, 8 * time.Hour, 3 * time.Second} {
		if err := f.budget.Pause(t.Context(), wait); err != nil {
			t.Fatal(err)
		}
	}
	if ttl := f.rdb.PTTL(t.Context(), budgetKey).Val(); ttl < 8*time.Hour {
		t.Errorf("the pause is forgotten in %s", ttl)
	}
	f.queue(Interactive, 50, time.Second, 0)
	f.queue(Batch, 500, time.Second, 0)
	f.queue(Interactive, 10, time.Hour, time.Minute)
	f.run(8*time.Hour + time.Second)
	if len(f.sent) != 0 {
		t.Errorf("%d sent in the pause", len(f.sent))
	}
	if f.asked != 560 {
		t.Errorf("560 jobs asked %d times in the pause", f.asked)
	}
	const sinceLastAsk = time.Hour + 9*time.Minute // the key's expiry runs by the real clock
	if ttl := f.rdb.PTTL(t.Context(), budgetKey).Val(); ttl < 8*time.Hour-sinceLastAsk {
		t.Errorf("asking made the pause be forgotten in %s", ttl)
	}
	f.run(8*time.Hour + 31*time.Second)
	if n, want := len(f.sent), 560; n != want {
		t.Errorf("%d sent in half a minute after the pause, want %d", n, want)
	}
	if n := f.count("", 8*time.Hour, 8*time.Hour+3*time.Second); n > 2*40 {
		t.Errorf("%d sent in the 2 s after the pause", n)
	}
}

// A line whose jobs are gone holds nobody up for long.
func TestBudgetForgetsALineThatNobodyStandsIn(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2400)
	f.queue(Batch, 10_000, 0, 0)
	f.run(time.Second)
	f.asks = nil // an operator deletes the jobs, and then:
	f.queue(Batch, 200, 10*time.Second, time.Millisecond)
	f.run(20 * time.Second)
	if n := f.count(Batch, 10*time.Second, 20*time.Second); n != 200 {
		t.Errorf("%d of 200 sent in 10 s", n)
	}
}

func TestBudgetSurvivesClocksAndWipes(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(*fleetOf){
		"an hour back":    func(f *fleetOf) { f.set(f.now - time.Hour) },
		"an hour forward": func(f *fleetOf) { f.set(f.now + time.Hour) },
		"wiped":           func(f *fleetOf) { f.rdb.FlushAll(f.t.Context()); f.set(f.now) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, 2400)
			f.set(2 * time.Hour)
			for range 1000 {
				f.take(Batch)
				f.take(Interactive)
			}
			fault(f)
			start := f.now
			f.sent, f.asks = nil, nil
			f.queue(Batch, 500, start, time.Millisecond)
			f.run(start + 11*time.Second)
			if n := len(f.sent); n < 400 || n > 160+11*40 {
				t.Errorf("%d of 500 sent in 11 s", n)
			}
		})
	}
}

// Lifted, nothing is asked of Redis: there is none here.
func TestBudgetLifted(t *testing.T) {
	t.Parallel()
	for _, perMinute := range []int{0, -1} {
		budget := NewBudget(nil, perMinute)
		if wait, err := budget.Take(t.Context(), Batch); wait != 0 || err != nil {
			t.Errorf("got %s, %v", wait, err)
		}
		if err := budget.Pause(t.Context(), time.Hour); err != nil {
			t.Error(err)
		}
	}
}

func TestBudgetKnowsItsClasses(t *testing.T) {
	t.Parallel()
	if _, err := NewBudget(nil, 1).Take(t.Context(), "urgent"); err == nil {
		t.Error("an unknown class is served")
	}
}

// The real clock: fifty workers share what one Redis gives.
func TestBudgetInAFleet(t *testing.T) {
	t.Parallel()
	const perSecond, lasting = 100, 3 * time.Second
	budget := NewBudget(connect(t), perSecond*60)
	var sent atomic.Int64
	var wait sync.WaitGroup
	start := time.Now()
	for range 50 {
		wait.Go(func() {
			for time.Since(start) < lasting {
				pause, err := budget.Take(t.Context(), Batch)
				if err != nil {
					t.Error(err)
					return
				}
				if pause == 0 {
					sent.Add(1)
				}
				time.Sleep(pause)
			}
		})
	}
	wait.Wait()
	took := time.Since(start).Seconds()
	most := perSecond*took + 3*perSecond
	if n := float64(sent.Load()); n > most || n < 0.95*(perSecond*lasting.Seconds()+3*perSecond) {
		t.Errorf("sent %.0f in %.2f s, want at most %.0f", n, took, most)
	}
}
