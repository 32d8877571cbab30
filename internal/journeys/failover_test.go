package journeys

import (
	"fmt"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/outside"
	"github.com/govwifi/user-signup/internal/testenv"
)

// insist delivers an event as its sender does, again and again until it is accepted. Every
// answer leaves within 2 s, whatever Redis does; it returns how many were 503.
func (h *house) insist(e outside.Event) (refused int) {
	h.t.Helper()
	for deadline := time.Now().Add(90 * time.Second); ; refused++ {
		started := time.Now()
		status, err := h.world.Deliver(h.t.Context(), e)
		if took := time.Since(started); took > 2*time.Second+time.Second/2 { // the half is the machine's
			h.t.Errorf("the answer took %s", took)
		}
		switch {
		case err == nil && status == 200:
			return refused
		case err != nil || status != 503 || time.Now().After(deadline):
			h.t.Fatalf("answered %d, %v", status, err)
		}
	}
}

// refuses delivers an event once, which must be answered with 503.
func (h *house) refuses(e outside.Event) {
	h.t.Helper()
	if status, err := h.world.Deliver(h.t.Context(), e); err != nil || status != 503 {
		h.t.Errorf("answered %d, %v, not 503", status, err)
	}
}

// The primary dies, twice, under Sentinel while texts stream in. Ingest and worker go on
// with the next one by themselves, and each text that was taken is answered once.
func TestSentinelFailover(t *testing.T) {
	for name, needed := range map[string]uint{
		// Texts are taken while a node is away (docs/reliability.md, the same with fewer).
		"one of two": 1,
		// No failover loses or doubles any, but then none is taken until the node is back.
		"all": 2,
	} {
		t.Run(name, func(t *testing.T) { failOver(t, needed) })
	}
}

// failOver is TestSentinelFailover where ingest and worker wait for so many of two replicas.
func failOver(t *testing.T, needed uint) {
	h := newHouse(t)
	sentinels := testenv.NewSentinels(t, 2)
	h.elsewhere, h.replicas = sentinels.URL, needed
	// A job that was taken, or done, over a line that the failover cut waits for its lease.
	h.patience = 5 * time.Minute
	h.open().work()
	texts, refused := 0, 0
	next := func() outside.Event {
		texts++
		return h.world.Text(phone(texts), "Go")
	}
	stream := func(n int) {
		for range n {
			refused += h.insist(next())
		}
	}
	stream(10)
	h.received(texts) // the worker works: it would not start without a Redis
	for range 2 {
		primary := sentinels.Primary()
		primary.Stop()
		early := next()
		if needed == 1 {
			refused += h.insist(early)
			stream(9)
			sentinels.AwaitFailover(primary)
		} else {
			for sentinels.Primary() == primary {
				h.refuses(early)
				refused++
			}
			sentinels.AwaitFailover(primary)
			h.refuses(early)
		}
		sentinels.Rejoin(primary)
		refused += h.insist(early)
		stream(10)
	}
	h.received(texts)
	rdb := h.rdb()
	h.await("empty queues", func() bool { return idle(h, rdb) })
	if got := h.notify.Accepted(); len(once(t, got)) != texts {
		t.Errorf("%d messages for %d texts", len(got), texts)
	}
	if refused == 0 {
		t.Error("no webhook met a Redis that was away: the test shows nothing")
	}
	t.Logf("%d texts, %d answers of 503", texts, refused)
}

// On a cluster every script keeps to one slot: texts, mails, batches and recoveries work,
// also after each node was away for a while.
func TestRedisCluster(t *testing.T) {
	h := newHouse(t)
	cluster := testenv.NewCluster(t)
	h.elsewhere = cluster.URL
	h.open().work()
	want := 0
	round := func(n int) {
		t.Helper()
		h.insist(h.world.Text(phone(2*n), "Go"))
		h.insist(h.world.Text(phone(2*n+1), "help"))
		h.insist(h.mail(fmt.Sprintf("jo%d@dept.gov.uk", n), signup, "Hello"))
		h.insist(h.mail(jo, sponsor, fmt.Sprintf("a%d@example.com\r\nb%d@example.com", n, n)))
		want += 3 + 2 + 1
		h.received(want)
	}
	round(0)
	h.oldMail("lost@dept.gov.uk", signup, "Hello", nil)
	h.recover("only")
	want++
	h.received(want)
	for n, node := range cluster.Nodes {
		node.Stop()
		status, err := h.world.Deliver(t.Context(), h.world.Text("447700900999", "Go"))
		if err != nil || status != 200 && status != 503 {
			t.Errorf("answered %d, %v", status, err)
		}
		if status == 200 {
			want++
		}
		node.Start()
		round(n + 1)
	}
	once(t, h.notify.Accepted())
}
