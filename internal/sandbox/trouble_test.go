package sandbox

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// lease is longer than a killed worker's job may be away: asynq leaves it for 30 s, takes
// it for lost another 30 s later, and looks every minute.
const lease = 150 * time.Second

// count waits for a counter to have a value.
func (b *tab) count(id, value string, atMost time.Duration) {
	b.t.Helper()
	b.waitFor(id+" to be "+value, fmt.Sprintf("document.getElementById('count-%s').textContent === %q", id, value), atMost)
}

// intact is what the counters say whatever was broken.
func (b *tab) intact() {
	b.t.Helper()
	b.count("lost", "0", patience)
	b.count("doubled", "0", patience)
}

func (b *tab) flip(value string) {
	b.t.Helper()
	b.click(fmt.Sprintf("#switches button[value=%q]", value))
}

// pressed waits until a switch is where it was put.
func (b *tab) pressed(value string) {
	b.t.Helper()
	b.waitFor(value, fmt.Sprintf("document.querySelector('#switches button[value=%q]').ariaPressed === 'true'", value), patience)
}

// GOV.UK Notify refuses: the job is given up with its reason and kept; mended, an operator
// runs it again.
func TestNotifyRefuses(t *testing.T) {
	t.Parallel()
	atWidths(t, func(s *Sandbox, b *tab) {
		b.flip("notify-refusing")
		b.pressed("notify-refusing")
		b.click(`button[value="Go"]`)
		b.shows("#events", "Given up")
		b.shows("#events", "Not enough digits")
		b.count("given-up", "1", patience)
		b.accessible("refused")
		b.picture("refused")
		b.flip("notify-well")
		b.pressed("notify-well")
		b.flip("archive-run")
		b.shows("#chat", "Username:")
		b.count("given-up", "0", patience)
		b.shows("#events", "Notify asked")
		b.intact()
	})
}

// GOV.UK Notify is away: the job says why, waits, and arrives once it is back.
func TestNotifyIsDown(t *testing.T) {
	t.Parallel()
	atWidths(t, func(s *Sandbox, b *tab) {
		b.flip("notify-down")
		b.pressed("notify-down")
		b.click(`button[value="Go"]`)
		b.shows("#events", "Failed, to be tried again")
		b.shows("#events", "connection refused")
		b.count("waiting", "1", patience)
		b.picture("down")
		b.flip("notify-well")
		b.shows("#chat", "Username:")
		b.count("sent", "1", patience)
		b.intact()
	})
}

// S3 is away: a sponsor's mail waits until it can be read.
func TestS3IsDown(t *testing.T) {
	t.Parallel()
	atWidths(t, func(s *Sandbox, b *tab) {
		b.flip("s3-down")
		b.pressed("s3-down")
		b.fill("#mail-to", "sponsor@wifi.service.gov.uk")
		b.fill("#mail-text", "ada@example.com")
		b.click("#mailbox form[action='/mail'] button")
		b.shows("#events", "Failed, to be tried again")
		b.shows("#unread", "1 sponsor’s mail is not read yet")
		b.picture("s3-down")
		b.flip("s3-well")
		b.showsWithin("#inbox", "A GovWifi account has been created for your guest", time.Minute)
		b.count("sent", "2", patience)
		b.intact()
	})
}

// The worker is killed in the middle of a message, with kill -9. What comes in meanwhile
// waits; started again, it takes that at once, and the message that was under way when the
// lease has ended: once, though Notify was slow and nobody saw its answer.
func TestWorkerIsKilled(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := visit(t, "desktop", s.Console)
	b.flip("notify-slow")
	b.pressed("notify-slow")
	before := s.worker.Process()
	b.click(`button[value="Go"]`)
	b.shows("#events", "Taken by the worker")
	b.shows("#events", "User created")
	b.flip("worker-kill")
	b.shows("#events", "Worker killed")
	b.shows("#switch-worker", "It is dead")
	if now := s.worker.Process(); now != 0 {
		t.Fatalf("the worker runs as %d", now)
	}
	b.flip("notify-well")
	b.click(`button[value="Help"]`)
	b.count("waiting", "2", patience)
	b.accessible("killed")
	b.picture("killed")
	b.click("#worker-start")
	b.shows("#chat", "Which device")
	if now := s.worker.Process(); now == 0 || now == before {
		t.Errorf("the worker runs as %d, was %d", now, before)
	}
	b.showsWithin("#chat", "Username:", lease)
	b.shows("#events", "attempt 2")
	b.shows("#events", "Notify asked")
	b.count("sent", "2", patience)
	b.intact()
	b.picture("recovered")
}

// A webhook is delivered again, from its event and from the switches: it is acknowledged,
// and nothing comes of it.
func TestRedelivered(t *testing.T) {
	t.Parallel()
	atWidths(t, func(s *Sandbox, b *tab) {
		b.allow("422")
		b.flip("redeliver")
		b.shows(".summary", "Send a text or an email first")
		b.click(`button[value="Go"]`)
		b.count("sent", "1", patience)
		b.click("#events .event-foot button")
		b.count("acknowledged", "2", patience)
		b.flip("redeliver")
		b.count("acknowledged", "3", patience)
		b.count("idle", "2", patience)
		b.shows("#events", "Known already")
		b.intact()
		if n := len(s.Notify.Accepted()); n != 1 {
			b.t.Errorf("%d messages were sent", n)
		}
		b.picture("redelivered")
	})
}

// The statistics jobs count a year, and both charts have a table with the same figures.
func TestNumbers(t *testing.T) {
	t.Parallel()
	atWidths(t, func(s *Sandbox, b *tab) {
		b.follow(`nav a[href="/numbers"]`)
		b.shows("h1", "Numbers")
		b.showsWithin("#figures", "Completion rate by month", 2*time.Minute)
		if n := evaluate[int](b, "document.querySelectorAll('#figures tbody tr').length"); n != 28+12 {
			b.t.Errorf("the tables have %d rows", n)
		}
		var drawn, written int
		drawn = evaluate[int](b, "document.querySelectorAll('#figures svg.chart .part').length + document.querySelectorAll('#figures svg.chart .dot').length")
		written = evaluate[int](b, "document.querySelectorAll('#figures tbody td').length")
		if drawn != written {
			b.t.Errorf("the charts draw %d figures, the tables write %d", drawn, written)
		}
		for _, figure := range strings.Fields(evaluate[string](b, "[...document.querySelectorAll('#figures tbody tr')].slice(0, 28).map((r) => [...r.cells].slice(1).reduce((n, c) => n + +c.textContent, 0)).join(' ')")) {
			if figure == "NaN" {
				b.t.Error("a figure of the table is none")
			}
		}
		b.accessible("numbers")
		b.tabs("numbers")
		b.picture("numbers")
	})
}
