package scheduler

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/queue"
)

// ticks reads what a scheduler with the timetable tells metrics: last and next.
func (h *house) ticks(timetable ...Entry) map[string][2]string {
	h.t.Helper()
	s := &Scheduler{Queue: queue.NewClient(h.rdb, nil), Timetable: timetable}
	told := map[string][2]string{}
	err := s.Ticks(context.Background(), func(job string, last, next time.Time) {
		told[job] = [2]string{minute(last), minute(next)}
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return told
}

func (h *house) expectTicks(want map[string][2]string, timetable ...Entry) {
	h.t.Helper()
	if got := h.ticks(timetable...); !maps.Equal(got, want) {
		h.t.Fatalf("told %v, want %v", got, want)
	}
}

// The next tick lies in the past exactly while nobody queues what is due.
func TestTicksForMetrics(t *testing.T) {
	h := newHouse(t, "2026-11-22 09:58")
	hourly := surveys("0 * * * *")
	h.expectTicks(map[string][2]string{}, hourly) // no scheduler has seen it yet
	stop := h.start(hourly)
	h.expectTicks(map[string][2]string{"send-surveys": {"never", "Sun 2026-11-22 10:00"}}, hourly)
	h.clock.elapse(5 * time.Minute)
	ran := map[string][2]string{"send-surveys": {"Sun 2026-11-22 10:00", "Sun 2026-11-22 11:00"}}
	h.expectTicks(ran, hourly)
	stop()
	h.clock.set("2026-11-22 13:30")
	h.expectTicks(ran, hourly)
	h.expectTicks(map[string][2]string{}, surveys("off"))
	h.expectTicks(map[string][2]string{}) // what was dropped from the timetable has no label
}

func TestTicksWithoutRedis(t *testing.T) {
	h := newHouse(t, "2026-11-22 09:58")
	h.server.Stop()
	s := &Scheduler{Queue: queue.NewClient(h.rdb, nil), Timetable: []Entry{surveys("0 * * * *")}}
	if err := s.Ticks(t.Context(), func(string, time.Time, time.Time) { t.Error("told something") }); err == nil {
		t.Error("no error")
	}
}
