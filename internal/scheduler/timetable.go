package scheduler

import (
	"errors"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/govwifi/user-signup/internal/job"
)

// tickFormat is a tick's time in its job's key.
const tickFormat = "20060102T1504Z"

// Schedule is five fields of cron in UTC, or off. The zero Schedule is neither: a
// variable that is not set. Seconds, descriptors such as @every (which counts from the
// start of each process, so that no two agree) and other time zones (where 01:30 may
// come twice) are refused.
type Schedule struct {
	// text is as given, or "off".
	text string
	// ticks is nil when off.
	ticks cron.Schedule
}

// off is the word for a job that never runs by itself.
const off = "off"

var errSchedule = errors.New("is no schedule: give five fields of cron in UTC, such as `0 13 * * *` (minute hour day month weekday, Sunday is 0), or off")

// UnmarshalText reads a schedule; an empty text is the zero Schedule. It refuses
// one that never comes, such as 30 February.
func (s *Schedule) UnmarshalText(text []byte) error {
	fields := strings.Fields(string(text))
	*s = Schedule{text: strings.Join(fields, " ")}
	if s.text == "" || s.text == off {
		return nil
	}
	if len(fields) != 5 {
		return errSchedule
	}
	ticks, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(s.text)
	if err != nil {
		return errSchedule
	}
	if ticks.Next(time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return errors.New("names a day that never comes; to switch a job off, say off")
	}
	s.ticks = ticks
	return nil
}

// mustSchedule reads a default, which a test has read before.
func mustSchedule(text string) (s Schedule) {
	if err := s.UnmarshalText([]byte(text)); err != nil {
		panic("the schedule " + text + " " + err.Error())
	}
	return s
}

// String is the schedule as it was given.
func (s Schedule) String() string { return s.text }

// Entry is a line of the timetable.
type Entry struct {
	// Name is the job's, with the period of statistics behind it.
	Name string
	// Schedule is when.
	Schedule Schedule
	// Make builds the job of a run.
	Make func(job.Run) job.Job
}

// on says that the entry has ticks.
func (e Entry) on() bool { return e.Schedule.ticks != nil }

// next is the first tick after t, which must be in UTC; zero when off.
func (e Entry) next(t time.Time) time.Time {
	if !e.on() {
		return time.Time{}
	}
	return e.Schedule.ticks.Next(t)
}

// due is the last tick after the settled time and not after now, and how many came
// before it in that time; zero if there is none.
func (e Entry) due(settled, now time.Time) (tick time.Time, earlier int) {
	for t := e.next(settled); !t.IsZero() && !t.After(now); t = e.next(t) {
		if !tick.IsZero() {
			earlier++
		}
		tick = t
	}
	return tick, earlier
}

// job is the job of a tick: the same in every scheduler.
func (e Entry) job(tick time.Time) job.Job {
	return e.Make(job.Run{Date: tick.Format(time.DateOnly), Tick: tick.Format(tickFormat), Since: tick.Add(-job.LookBack)})
}
