package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/govwifi/user-signup/internal/queue"
)

const (
	// longestWait between two looks at the clock: it may be set, and a virtual
	// machine may sleep, neither of which a timer notices.
	longestWait = 30 * time.Second
	// firstRetry after a Redis that is away; doubled each time up to longestWait.
	firstRetry = time.Second
	// punctual is how late a tick's job may be without a word about it. Whoever is up
	// and has Redis is at work within the second.
	punctual = 10 * time.Second
	// grace is how far behind the clock an entry that is off is settled, so that
	// one scheduler with a stray `off` does not take the ticks of the others.
	grace = time.Minute
	// farewell is how long taking the entries off the dashboard may take.
	farewell = 2 * time.Second
)

// Scheduler queues the jobs of due ticks. Any number may run: a tick's job has the
// same key in all of them, so Redis takes it once; and Redis remembers the last tick
// of each entry beyond that, so that a tick is neither repeated nor forgotten
// whatever becomes of the schedulers, their clocks and Redis:
//
//	10:00 tick   queued on time
//	10:00 tick   nobody there            11:07 queued, and said so
//	days of it   nobody there            the last tick is queued, the others are not
//	10:00 tick   Redis away, then empty  queued by whoever ran before 10:00, and said so
//	clock goes back an hour              nothing: those ticks are settled
//	clock leaps forward                  as if nobody had been there
//
// Two holes are known and left: a scheduler that dies between queueing a tick and
// remembering it, with none back within a day; and one that is frozen for a day just
// before queueing. Each would repeat one tick, which every periodic job bears.
type Scheduler struct {
	// Queue is Impatient, as waiting for Redis is done here.
	Queue *queue.Client
	// Timetable is what to queue, and when.
	Timetable []Entry
	// Now is the wall clock.
	Now func() time.Time
	// Wait returns after the duration, or when the context ends.
	Wait func(context.Context, time.Duration)
	// Log is told of each tick by the one scheduler that settled it.
	Log *slog.Logger

	// warned of entries that are settled beyond the clock, by name.
	warned map[string]time.Time
	// settled is up to when we know each entry to be settled, by name, for a Redis
	// that knows nothing of it: one that lost its data, or that is new. From began, when
	// this scheduler started, a tick is owed in any case.
	settled map[string]time.Time
	began   time.Time
}

// Run goes round until ctx ends.
func (s *Scheduler) Run(ctx context.Context) {
	s.warned, s.settled, s.began = map[string]time.Time{}, map[string]time.Time{}, s.Now().UTC()
	retry := firstRetry
	for ctx.Err() == nil {
		wait, err := s.round(ctx)
		if err != nil && ctx.Err() == nil {
			wait, retry = retry, min(2*retry, longestWait)
			s.Log.Error("the timetable cannot be kept", "err", err, "again_in", wait)
		} else {
			retry = firstRetry
		}
		s.Wait(ctx, wait)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	// Without Redis they go by themselves, a little later.
	_ = s.Queue.HideTimetable(ctx)
}

// round settles what is due and returns how long nothing will be. One entry's
// trouble does not hold the others up.
func (s *Scheduler) round(ctx context.Context) (time.Duration, error) {
	now := s.Now().UTC()
	known, err := s.Queue.Settled(ctx)
	if err != nil {
		return 0, err
	}
	var errs []error
	var rows []queue.TimetableRow
	wait := longestWait
	for _, e := range s.Timetable {
		ran, err := s.attend(ctx, e, known, now)
		errs = append(errs, err)
		if !e.on() {
			continue
		}
		next := e.next(now)
		wait = min(wait, next.Sub(now))
		rows = append(rows, queue.TimetableRow{Name: e.Name, Cron: e.Schedule.String(), Job: e.job(next), Next: next, Last: ran})
	}
	errs = append(errs, s.Queue.ShowTimetable(ctx, rows))
	return wait, errors.Join(errs...)
}

// attend brings one entry up to now and returns its last tick.
func (s *Scheduler) attend(ctx context.Context, e Entry, known map[string]queue.Settled, now time.Time) (time.Time, error) {
	entry, seen := known[e.Name]
	if !e.on() {
		return entry.Ran, s.Queue.Skip(ctx, e.Name, now.Add(-grace))
	}
	if !seen {
		entry.Until = s.start(e, now)
		if err := s.Queue.Begin(ctx, e.Name, entry.Until); err != nil {
			return entry.Ran, err
		}
	}
	s.settled[e.Name] = entry.Until
	s.warnAhead(e, entry.Until, now)
	tick, earlier := e.due(entry.Until, now)
	if tick.IsZero() {
		return entry.Ran, nil
	}
	j := e.job(tick)
	if err := s.Queue.Enqueue(ctx, j); err != nil {
		return entry.Ran, err
	}
	first, err := s.Queue.Ticked(ctx, e.Name, tick)
	if err != nil {
		return entry.Ran, err
	}
	s.settled[e.Name] = tick
	if !first {
		return tick, nil
	}
	s.logTick(e, tick, earlier)
	return tick, s.Queue.ShowTick(ctx, e.Name, j)
}

// start is from when ticks are owed of an entry that Redis knows nothing of. Never after
// now: Redis may have been made to forget an entry that a fast clock had settled.
func (s *Scheduler) start(e Entry, now time.Time) time.Time {
	known, ok := s.settled[e.Name]
	if !ok {
		known = s.began
	}
	if known.After(now) {
		return now
	}
	return known
}

// Ticks tells of each entry that is on and that some scheduler has seen, for metrics.
// Names come from the timetable: what else lies in Redis, as after a job was dropped
// from it, makes no labels.
func (s *Scheduler) Ticks(ctx context.Context, tick func(job string, last, next time.Time)) error {
	known, err := s.Queue.Settled(ctx)
	if err != nil {
		return err
	}
	for _, e := range s.Timetable {
		if entry, seen := known[e.Name]; seen && e.on() {
			tick(e.Name, entry.Ran, e.next(entry.Until))
		}
	}
	return nil
}

func (s *Scheduler) logTick(e Entry, tick time.Time, earlier int) {
	late := s.Now().Sub(tick)
	if late <= punctual && earlier == 0 {
		s.Log.Info("the job of a tick is queued", "job", e.Name, "tick", tick.Format(time.RFC3339))
		return
	}
	text := "a missed tick is made up for"
	if earlier > 0 {
		text = fmt.Sprintf("the last of %d missed ticks is made up for, the others are not", earlier+1)
	}
	s.Log.Warn(text, "job", e.Name, "tick", tick.Format(time.RFC3339), "late", late.Round(time.Second))
}

// warnAhead tells once of an entry whose ticks are settled well beyond the clock.
// Either our clock is slow or one was fast: the ticks until then have had their job.
func (s *Scheduler) warnAhead(e Entry, until, now time.Time) {
	if until.Sub(now) < time.Hour || s.warned[e.Name].Equal(until) {
		return
	}
	s.warned[e.Name] = until
	s.Log.Warn("a tick after now was queued already: some scheduler's clock is or was wrong, and nothing is queued until then",
		"job", e.Name, "until", until.Format(time.RFC3339))
}
