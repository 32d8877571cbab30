package scheduler

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/queue"
	"github.com/govwifi/user-signup/internal/testenv"
)

func TestMain(m *testing.M) {
	queue.LogTo(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m)
}

// clock is time as a test makes it pass, for any number of schedulers. The wall
// clock and the timers are apart, as they are in a machine whose clock is set.
type clock struct {
	mu sync.Mutex
	// wall is what Now says.
	wall time.Time
	// elapsed is what timers count.
	elapsed  time.Duration
	sleepers map[*sleeper]bool
	// running is how many schedulers there are; all asleep is a moment of rest.
	running int
	rest    *sync.Cond
	// waits are all that were asked for.
	waits []time.Duration
}

type sleeper struct {
	until time.Duration
	woken chan struct{}
}

func newClock(wall string) *clock {
	c := &clock{wall: at(wall), sleepers: map[*sleeper]bool{}}
	c.rest = sync.NewCond(&c.mu)
	return c
}

// at reads 2026-11-22 10:00.
func at(text string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		panic(err)
	}
	return t
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wall
}

func (c *clock) Wait(ctx context.Context, d time.Duration) {
	c.mu.Lock()
	s := &sleeper{c.elapsed + d, make(chan struct{})}
	c.sleepers[s] = true
	c.waits = append(c.waits, d)
	c.rest.Broadcast()
	c.mu.Unlock()
	select {
	case <-s.woken:
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.sleepers, s)
		c.mu.Unlock()
	}
}

// settle waits until every scheduler sleeps.
func (c *clock) settle() {
	for len(c.sleepers) != c.running {
		c.rest.Wait()
	}
}

// elapse lets time pass, and every scheduler do what it would do meanwhile.
func (c *clock) elapse(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	end := c.elapsed + d
	for {
		c.settle()
		next := end
		for s := range c.sleepers {
			next = min(next, s.until)
		}
		c.wall = c.wall.Add(next - c.elapsed)
		c.elapsed = next
		woken := false
		for s := range c.sleepers {
			if s.until <= next {
				delete(c.sleepers, s)
				close(s.woken)
				woken = true
			}
		}
		if !woken {
			return
		}
	}
}

// set sets the wall clock; no timer notices.
func (c *clock) set(wall string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle()
	c.wall = at(wall)
}

// logBuffer collects lines from several goroutines.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// count is how many lines hold the text.
func (l *logBuffer) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

// house is a Redis, a clock and any number of schedulers.
type house struct {
	t      *testing.T
	server *testenv.RedisServer
	rdb    redis.UniversalClient
	clock  *clock
	log    *logBuffer
}

func newHouse(t *testing.T, wall string) *house {
	t.Helper()
	t.Parallel()
	server := testenv.NewRedisServer(t)
	rdb := connect(t, server.URL)
	return &house{t, server, rdb, newClock(wall), &logBuffer{}}
}

func connect(t *testing.T, url string) redis.UniversalClient {
	t.Helper()
	rdb := redisURL(t, url).Connect(queue.Impatient)
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

func redisURL(t *testing.T, text string) (u queue.URL) {
	t.Helper()
	if err := u.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return u
}

// start starts a scheduler with a connection of its own, and returns when it has
// made its first round. The returned function stops it.
func (h *house) start(timetable ...Entry) (stop func()) {
	h.t.Helper()
	s := &Scheduler{
		Queue: queue.NewClient(connect(h.t, h.server.URL), nil), Timetable: timetable,
		Now: h.clock.Now, Wait: h.clock.Wait, Log: slog.New(slog.NewTextHandler(h.log, nil)),
	}
	h.clock.mu.Lock()
	h.clock.running++
	h.clock.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	h.clock.elapse(0)
	stop = sync.OnceFunc(func() {
		h.clock.mu.Lock()
		h.clock.settle()
		h.clock.running--
		h.clock.mu.Unlock()
		cancel()
		<-done
	})
	h.t.Cleanup(stop)
	return stop
}

// surveys is a timetable of one entry.
func surveys(cron string) Entry {
	return Entry{"send-surveys", mustSchedule(cron), func(r job.Run) job.Job { return job.SendSurveys{Run: r} }}
}

// queued are the keys of all queued jobs, oldest first. (The house rules keep asynq's
// own Inspector to internal/queue.)
func (h *house) queued() []string {
	h.t.Helper()
	keys, err := h.rdb.LRange(h.t.Context(), maintenance+"pending", 0, -1).Result()
	if err != nil {
		h.t.Fatal(err)
	}
	slices.Reverse(keys)
	return keys
}

// maintenance begins the names of what asynq keeps of the queue.
const maintenance = "asynq:{maintenance}:"

// expectQueued checks the keys of all queued jobs, in any order.
func (h *house) expectQueued(want ...string) {
	h.t.Helper()
	got := h.queued()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		h.t.Fatalf("queued:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// forget removes all jobs: a day after they are done their keys refuse nothing.
func (h *house) forget() {
	h.t.Helper()
	names := []string{maintenance + "pending"}
	for _, key := range h.queued() {
		names = append(names, maintenance+"t:"+key)
	}
	if n, err := h.rdb.Del(h.t.Context(), names...).Result(); err != nil || n < 2 {
		h.t.Fatalf("forgot %d of %v: %v", n, names, err)
	}
}

func (h *house) expectLogged(n int, text string) {
	h.t.Helper()
	if got := h.log.count(text); got != n {
		h.t.Fatalf("logged %d times, not %d: %s\n%s", got, n, text, h.log.text.String())
	}
}
