package journeys

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/notify/notifytest"
)

// A minute without Redis, which dies while messages are being sent: ingest refuses with
// 503 in time, no program needs a restart, and each acknowledged text is answered once.
func TestAMinuteWithoutRedis(t *testing.T) {
	t.Parallel()
	w := newTown(t).migrate()
	sending := make(chan struct{}, 1)
	w.notify.Play(signalled(sending, notifytest.Fault{Delay: 2 * time.Second}))
	ingest, worker := w.open(nil), w.work(nil)
	const before = 20
	for i := range before {
		w.deliver(w.world.Text(phone(i), "Go"))
	}
	<-sending
	w.redis.Stop()
	refused := 0
	for back := time.Now().Add(time.Minute); time.Now().Before(back); time.Sleep(500 * time.Millisecond) {
		started := time.Now()
		status, err := w.world.Deliver(t.Context(), w.world.Text(phone(before+refused), "Go"))
		if took := time.Since(started); status != 503 || err != nil || took > 2*time.Second {
			t.Errorf("answered %d, %v, after %s", status, err, took)
		}
		refused++
	}
	if refused < 20 {
		t.Errorf("only %d texts came in a minute", refused)
	}
	w.redis.Start()
	w.notify.Play(nil)
	after := w.world.Text(phone(before+refused), "Go")
	eventually(t, "ingest to take texts again", func() bool {
		status, err := w.world.Deliver(t.Context(), after)
		return status == 200 && err == nil
	})
	w.received(before+1, 5*time.Minute)
	w.idle()
	if got := w.notify.Accepted(); len(once(t, got)) != before+1 {
		t.Errorf("%d messages for %d acknowledged texts", len(got), before+1)
	}
	for _, p := range []*program{ingest, worker} {
		select {
		case <-p.exited:
			t.Errorf("%s ended:\n%s", p.cmd.Args[3], p.stderr)
		default:
		}
	}
}

// A full queue at the door: what is new is to come back later, what is known is not.
func TestFullQueue(t *testing.T) {
	t.Parallel()
	w := newTown(t).migrate()
	w.open(environment{"QUEUE_LIMIT": "3"})
	first := w.world.Text(phone(0), "Go")
	w.deliver(first)
	w.deliver(w.world.Text(phone(1), "Go"))
	w.deliver(w.world.Text(phone(2), "Go"))
	late := w.world.Text(phone(3), "Go")
	if status, err := w.world.Deliver(t.Context(), late); status != http.StatusServiceUnavailable || err != nil {
		t.Errorf("a fourth text was answered with %d, %v", status, err)
	}
	w.deliver(first)
	w.work(nil)
	eventually(t, "the queue to have room", func() bool {
		status, err := w.world.Deliver(t.Context(), late)
		return status == 200 && err == nil
	})
	w.received(4, time.Minute)
	w.idle()
	if got := w.notify.Accepted(); len(once(t, got)) != 4 {
		t.Errorf("%d messages for 4 texts", len(got))
	}
}

// Two workers under load keep to the budget, use it, and never meet Notify's own limit,
// whose bucket never fills again once it is asked at its rate (docs/facts.md, A8). All
// rates are a tenth of Notify's, so that its bucket would be empty within the test.
func TestBudgetAgainstNotifysBucket(t *testing.T) {
	t.Parallel()
	const limit, budget, guests, reserve = 300, 240, 180, 12
	w := newTownWith(t, notifytest.Config{RatePerMinute: limit}).migrate()
	w.open(nil)
	workers := []*program{w.work(environment{"NOTIFY_MESSAGES_PER_MINUTE": fmt.Sprint(budget)}), w.work(environment{"NOTIFY_MESSAGES_PER_MINUTE": fmt.Sprint(budget)})}
	w.deliver(w.batch("guest", guests))
	got := w.received(guests+1, 3*time.Minute)
	// What the bucket holds at first is sent at once; the receipt comes when all is done.
	first, last := got[reserve+4], got[guests-1]
	sent, took := guests-1-(reserve+4), last.At.Sub(first.At)
	if used := float64(sent) / (took.Minutes() * budget); used < 0.95 || used > 1.02 {
		t.Errorf("%d messages in %s use %.0f %% of the budget", sent, took, 100*used)
	}
	for _, p := range workers {
		answers := p.answersOfNotify()
		if strings.Contains(answers, `status="429"`) || !strings.Contains(answers, `status="201"`) {
			t.Errorf("Notify answered\n%s", answers)
		}
	}
}

// answersOfNotify are a worker's counts of what Notify has said.
func (p *program) answersOfNotify() string {
	p.Helper()
	response, err := http.Get("http://" + p.admin + "/metrics")
	if err != nil {
		p.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.Fatal(err)
	}
	var counts strings.Builder
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "signup_notify_requests_total{") && !strings.HasSuffix(line, " 0\n") {
			counts.WriteString(line)
		}
	}
	return counts.String()
}
