package scheduler

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/govwifi/user-signup/internal/job"
)

const queuedLine = `msg="the job of a tick is queued"`

// Two and three schedulers over several ticks: one job per tick, said once.
func TestEachTickOnce(t *testing.T) {
	for _, n := range []int{1, 2, 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			h := newHouse(t, "2026-11-22 09:58")
			for range n {
				h.start(surveys("*/2 * * * *"), Entry{"backup-templates", mustSchedule("1-59/4 * * * *"),
					func(r job.Run) job.Job { return job.BackupTemplates{Run: r} }})
				h.clock.elapse(7 * time.Second) // they started at different times
			}
			h.clock.elapse(8 * time.Minute)
			h.expectQueued("send-surveys-20261122T1000Z", "send-surveys-20261122T1002Z", "send-surveys-20261122T1004Z",
				"send-surveys-20261122T1006Z", "backup-templates-20261122T1001Z", "backup-templates-20261122T1005Z")
			h.expectLogged(6, queuedLine)
		})
	}
}

// The whole timetable, but for what runs every hour, over the first day of a month that
// is a Sunday.
func TestTimetableOfADay(t *testing.T) {
	h := newHouse(t, "2026-10-31 23:59")
	timetable := Schedules{RecoverTexts: mustSchedule("off"), RecoverMail: mustSchedule("off")}.Timetable()
	h.start(timetable...)
	h.start(timetable...)
	for _, tick := range []string{"05:00", "05:45", "06:00", "06:10", "09:00", "10:00", "13:00", "18:00"} {
		h.clock.set("2026-11-01 " + tick)
		h.clock.elapse(longestWait)
	}
	h.expectQueued("publish-statistics-day-20261101T0500Z", "publish-statistics-week-20261101T0545Z",
		"publish-statistics-month-20261101T0600Z", "copy-notifications-20261101T0600Z", "backup-templates-20261101T0610Z",
		"warn-inactive-users-20261101T0900Z", "delete-inactive-users-20261101T1000Z", "send-surveys-20261101T1300Z",
		"send-followups-20261101T1800Z")
}

// The job is about the tick's own day, even when it is queued the day after.
func TestDateIsTheTicksDay(t *testing.T) {
	h := newHouse(t, "2026-12-31 23:00")
	stop := h.start(surveys("30 23 * * *"))
	stop()
	h.clock.set("2027-01-01 04:00")
	h.start(surveys("30 23 * * *"))
	message, err := h.rdb.HGet(t.Context(), maintenance+"t:send-surveys-20261231T2330Z", "msg").Result()
	if want := `{"date":"2026-12-31","tick":"20261231T2330Z"}`; err != nil || !strings.Contains(message, want) {
		t.Fatalf("%q, %v; want %s", message, err, want)
	}
}

// A recovery by the clock looks back a day from its tick, however late it is queued.
func TestRecoveriesOfAnHour(t *testing.T) {
	h := newHouse(t, "2026-11-22 11:55")
	var timetable []Entry
	for _, e := range (Schedules{}).Timetable() {
		if strings.HasPrefix(e.Name, "recover-") {
			timetable = append(timetable, e)
		}
	}
	h.start(timetable...)
	for _, tick := range []string{"12:00", "12:10", "12:20", "12:25", "12:31"} {
		h.clock.set("2026-11-22 " + tick)
		h.clock.elapse(longestWait)
	}
	h.expectQueued("recover-texts-20261122T1200Z", "recover-texts-20261122T1210Z", "recover-texts-20261122T1220Z",
		"recover-mail-20261122T1225Z", "recover-texts-20261122T1230Z")
	message, err := h.rdb.HGet(t.Context(), maintenance+"t:recover-texts-20261122T1230Z", "msg").Result()
	if want := `{"since":"2026-11-21T12:30:00Z","tick":"20261122T1230Z"}`; err != nil || !strings.Contains(message, want) {
		t.Errorf("%q, %v; want %s", message, err, want)
	}
}

// A new installation owes nothing and begins with the next tick.
func TestNewInstallation(t *testing.T) {
	h := newHouse(t, "2026-11-22 14:00")
	stop := h.start(surveys("0 13 * * *"))
	h.expectQueued()
	stop()
	h.clock.set("2026-11-23 12:59")
	h.start(surveys("0 13 * * *"))
	h.expectQueued()
	h.clock.elapse(time.Minute)
	h.expectQueued("send-surveys-20261123T1300Z")
}

// After days of absence the last tick of each job is made up for, by one of the
// schedulers that come back, and it says so.
func TestDowntime(t *testing.T) {
	h := newHouse(t, "2026-11-22 14:00")
	timetable := []Entry{surveys("0 13 * * *"), {"publish-statistics-month", mustSchedule("0 6 1 * *"),
		func(r job.Run) job.Job { return job.PublishStatistics{Run: r, Period: job.Month} }}}
	stop := h.start(timetable...)
	stop()
	h.clock.set("2026-12-02 13:30")
	h.start(timetable...)
	h.start(timetable...)
	h.clock.elapse(5 * time.Minute)
	h.expectQueued("send-surveys-20261202T1300Z", "publish-statistics-month-20261201T0600Z")
	h.expectLogged(1, `msg="the last of 10 missed ticks is made up for, the others are not" job=send-surveys tick=2026-12-02T13:00:00Z late=30m0s`)
	h.expectLogged(1, `msg="a missed tick is made up for" job=publish-statistics-month tick=2026-12-01T06:00:00Z late=31h30m0s`)
	h.expectLogged(0, queuedLine)
}

// A tick that was missed by seconds was missed, which is said too.
func TestShortAbsence(t *testing.T) {
	h := newHouse(t, "2026-11-22 12:59")
	stop := h.start(surveys("0 13 * * *"))
	stop()
	h.clock.set("2026-11-22 13:00")
	h.clock.elapse(20 * time.Second)
	h.start(surveys("0 13 * * *"))
	h.expectQueued("send-surveys-20261122T1300Z")
	h.expectLogged(1, `msg="a missed tick is made up for" job=send-surveys tick=2026-11-22T13:00:00Z late=20s`)
}

// A tick for which Redis is away is queued once when it is back.
func TestRedisAway(t *testing.T) {
	h := newHouse(t, "2026-11-22 12:58")
	h.start(surveys("0 13 * * *"))
	h.start(surveys("0 13 * * *"))
	h.server.Stop()
	h.clock.elapse(5 * time.Minute)
	h.expectLogged(0, "send-surveys")
	h.server.Start()
	h.clock.elapse(2 * longestWait)
	h.expectQueued("send-surveys-20261122T1300Z")
	h.expectLogged(1, `msg="a missed tick is made up for" job=send-surveys`)
	h.forget()
	h.clock.elapse(5 * time.Minute)
	h.expectQueued()
}

// A Redis that comes back without its data is told by the schedulers what they know: the
// tick that it missed is made up for, and those before are not repeated.
func TestRedisLosesItsData(t *testing.T) {
	h := newHouse(t, "2026-11-22 12:58")
	h.start(surveys("0,10 13 * * *"))
	h.start(surveys("0,10 13 * * *"))
	lose := func() {
		t.Helper()
		if err := h.rdb.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	h.clock.elapse(5 * time.Minute)
	h.expectQueued("send-surveys-20261122T1300Z")
	lose()
	h.clock.elapse(5 * time.Minute)
	h.expectQueued()
	h.server.Stop()
	h.clock.elapse(5 * time.Minute)
	h.server.Start()
	lose()
	h.clock.elapse(2 * longestWait)
	h.expectQueued("send-surveys-20261122T1310Z")
	h.expectLogged(1, `msg="a missed tick is made up for" job=send-surveys`)
}

// Redis was never there, and a tick passes: who was running then owes it.
func TestFirstTickWithoutRedis(t *testing.T) {
	h := newHouse(t, "2026-11-22 12:57")
	h.server.Stop()
	h.start(surveys("0 13 * * *"))
	h.clock.elapse(5 * time.Minute)
	h.server.Start()
	h.clock.elapse(2 * longestWait)
	h.expectQueued("send-surveys-20261122T1300Z")
	h.expectLogged(1, `msg="a missed tick is made up for" job=send-surveys`)
}

// An entry that an operator made Redis forget, as after a fast clock, begins anew.
func TestForgottenEntry(t *testing.T) {
	h := newHouse(t, "2027-11-22 12:59")
	h.start(surveys("0 13 * * *"))
	h.clock.elapse(time.Minute)
	h.forget()
	h.clock.set("2026-11-22 14:00")
	h.clock.elapse(longestWait)
	if err := h.rdb.HDel(t.Context(), "signup:ticks", "send-surveys", "send-surveys ran").Err(); err != nil {
		t.Fatal(err)
	}
	h.clock.elapse(longestWait)
	h.expectQueued()
	h.clock.set("2026-11-23 13:00")
	h.clock.elapse(longestWait)
	h.expectQueued("send-surveys-20261123T1300Z")
}

// A scheduler may start without Redis; it asks less and less often.
func TestStartWithoutRedis(t *testing.T) {
	h := newHouse(t, "2026-11-22 12:57")
	h.server.Stop()
	h.start(surveys("0 13 * * *"))
	h.clock.elapse(80 * time.Second)
	h.clock.mu.Lock()
	waits := slices.Clone(h.clock.waits)
	h.clock.mu.Unlock()
	want := []time.Duration{1e9, 2e9, 4e9, 8e9, 16e9, 30e9, 30e9}
	if !slices.Equal(waits, want) {
		t.Fatalf("waits %v, want %v", waits, want)
	}
	h.server.Start()
	h.clock.elapse(longestWait)
	h.expectQueued()
	h.clock.set("2026-11-22 13:00")
	h.clock.elapse(longestWait)
	h.expectQueued("send-surveys-20261122T1300Z")
}

// One job that cannot be queued does not hold the others up, and is tried again.
func TestOneJobsTrouble(t *testing.T) {
	h := newHouse(t, "2026-11-22 12:59")
	broken := true
	h.start(Entry{"send-surveys", mustSchedule("0 13 * * *"), func(r job.Run) job.Job {
		if broken && r.Tick == "20261122T1300Z" && h.clock.Now().After(at("2026-11-22 12:59")) {
			return unmarshallable{job.SendSurveys{Run: r}, make(chan int)}
		}
		return job.SendSurveys{Run: r}
	}}, Entry{"send-followups", mustSchedule("0 13 * * *"), func(r job.Run) job.Job { return job.SendFollowups{Run: r} }})
	h.clock.elapse(2 * time.Minute)
	h.expectQueued("send-followups-20261122T1300Z")
	broken = false
	h.clock.elapse(longestWait)
	h.expectQueued("send-followups-20261122T1300Z", "send-surveys-20261122T1300Z")
}

// unmarshallable is a job that JSON refuses.
type unmarshallable struct {
	job.SendSurveys
	Broken chan int
}

// A clock that is set back or forward neither doubles nor loses a tick.
func TestClockSteps(t *testing.T) {
	tests := map[string]struct {
		start string
		steps []string
		want  []string
	}{
		"back an hour after the tick, then on": {"2026-11-22 12:59",
			[]string{"2026-11-22 13:01", "2026-11-22 12:01", "2026-11-22 12:59", "2026-11-22 13:00", "2026-11-22 14:00", "2026-11-23 13:00"},
			[]string{"send-surveys-20261122T1300Z", "send-surveys-20261123T1300Z"}},
		"forward over the tick, then back before it": {"2026-11-22 12:20",
			[]string{"2026-11-22 13:20", "2026-11-22 12:25", "2026-11-22 13:00", "2026-11-22 13:25"},
			[]string{"send-surveys-20261122T1300Z"}},
		"back an hour before the tick": {"2026-11-22 12:50",
			[]string{"2026-11-22 11:50", "2026-11-22 12:59", "2026-11-22 13:00"},
			[]string{"send-surveys-20261122T1300Z"}},
		"suspended for two days": {"2026-11-22 12:50",
			[]string{"2026-11-24 12:50", "2026-11-24 13:00"},
			[]string{"send-surveys-20261123T1300Z", "send-surveys-20261124T1300Z"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, test.start)
			h.start(surveys("0 13 * * *"))
			h.start(surveys("0 13 * * *"))
			var seen []string
			for _, step := range test.steps {
				h.clock.set(step)
				h.clock.elapse(longestWait)
				if keys := h.queued(); len(keys) > 0 {
					seen = append(seen, keys...)
					h.forget() // so that only memory prevents a double
				}
			}
			if !slices.Equal(seen, test.want) {
				t.Fatalf("queued %v, want %v", seen, test.want)
			}
		})
	}
}

// A clock that was months fast stops the timetable until then, so it must be said.
func TestSettledBeyondTheClock(t *testing.T) {
	h := newHouse(t, "2026-11-22 12:59")
	h.start(surveys("0 13 * * *"))
	h.clock.set("2027-02-22 12:59")
	h.clock.elapse(time.Minute)
	h.clock.set("2026-11-22 12:59")
	h.clock.elapse(5 * time.Minute)
	h.expectLogged(1, "until=2027-02-22T13:00:00Z")
}

// A monthly tick is not repeated when its job's key is long forgotten.
func TestMonthly(t *testing.T) {
	h := newHouse(t, "2026-11-22 12:00")
	entry := Entry{"publish-statistics-month", mustSchedule("0 6 1 * *"),
		func(r job.Run) job.Job { return job.PublishStatistics{Run: r, Period: job.Month} }}
	stop := h.start(entry)
	h.clock.set("2026-12-01 05:59")
	h.clock.elapse(2 * time.Minute)
	h.expectQueued("publish-statistics-month-20261201T0600Z")
	h.forget()
	stop()
	h.clock.set("2026-12-20 12:00")
	h.start(entry)
	h.clock.elapse(time.Minute)
	h.expectQueued()
	h.clock.set("2027-01-01 06:00")
	h.clock.elapse(time.Minute)
	h.expectQueued("publish-statistics-month-20270101T0600Z")
}

// What is off has no ticks, and owes none when it is switched on again.
func TestOff(t *testing.T) {
	h := newHouse(t, "2026-11-22 12:59")
	stop := h.start(surveys("0 13 * * *"))
	stop()
	stop = h.start(surveys("off"))
	h.clock.elapse(5 * time.Minute)
	h.clock.set("2026-11-25 14:00")
	h.clock.elapse(time.Minute)
	stop()
	h.start(surveys("0 13 * * *"))
	h.clock.elapse(time.Minute)
	h.expectQueued()
	h.clock.set("2026-11-26 13:00")
	h.clock.elapse(time.Minute)
	h.expectQueued("send-surveys-20261126T1300Z")
}

// One scheduler with a stray "off" does not take the ticks of the others, even when
// it looks first.
func TestOffInOneOfTwo(t *testing.T) {
	h := newHouse(t, "2026-11-22 12:58")
	h.start(surveys("off"))
	h.clock.elapse(7 * time.Second)
	h.start(surveys("0 13 * * *"))
	h.clock.set("2026-11-22 13:00")
	h.clock.elapse(longestWait)
	h.expectQueued("send-surveys-20261122T1300Z")
}

// The dashboard has one row per job however many schedulers run, with the next and
// the last tick, and none when they have stopped.
func TestDashboard(t *testing.T) {
	h := newHouse(t, "2026-11-22 12:59")
	stop := h.start(surveys("0 13 * * *"), surveys("off"))
	h.start(surveys("0 13 * * *"))()
	h.clock.elapse(time.Minute)
	const rows = "asynq:schedulers:{govwifi-signup}"
	entries, err := h.rdb.LRange(t.Context(), rows, 0, -1).Result()
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	for _, want := range []string{"0 13 * * *", timestamp(6, "2026-11-23 13:00"), timestamp(7, "2026-11-22 13:00")} {
		if !strings.Contains(entries[0], want) {
			t.Errorf("%q does not hold %q", entries[0], want)
		}
	}
	events, err := h.rdb.ZRange(t.Context(), "asynq:scheduler_history:send-surveys", 0, -1).Result()
	if err != nil || len(events) != 1 || !strings.Contains(events[0], "send-surveys-20261122T1300Z") {
		t.Fatalf("events %q, %v", events, err)
	}
	stop()
	if n, err := h.rdb.Exists(t.Context(), rows).Result(); err != nil || n != 0 {
		t.Fatalf("stopped, but %d rows, %v", n, err)
	}
}

// timestamp is a field of an entry that holds a time, as it lies in Redis.
func timestamp(field protowire.Number, text string) string {
	seconds := protowire.AppendTag(nil, 1, protowire.VarintType)
	seconds = protowire.AppendVarint(seconds, uint64(at(text).Unix()))
	b := protowire.AppendTag(nil, field, protowire.BytesType)
	return string(protowire.AppendBytes(b, seconds))
}

// A real wait ends with the time or with the context.
func TestWait(t *testing.T) {
	t.Parallel()
	wait(t.Context(), time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wait(ctx, time.Hour)
}
