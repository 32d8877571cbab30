package faultrun

import (
	"context"
	"sync"
	"time"
)

// How the senders behave (docs/facts.md, B1 and C): after 5xx, no answer in time or no
// connection they send the same again, and anything else they take for the last word.
// Only their pauses are shorter here: Notify waits 300 s between five tries, SNS 20 s.
const (
	notifyPatience = 5 * time.Second
	snsPatience    = 15 * time.Second
	pause          = 2 * time.Second
	tries          = 8
)

// sent is an event and what its sender knows.
type sent struct {
	*event
	// acknowledged is when the first 200 came; zero if none did.
	acknowledged time.Time
	// refused is the status of an answer that ended the sender's tries for good.
	refused int
	// deliveries counts the requests, repeated how many of them came after the 200.
	deliveries, repeated int
}

// senders are GOV.UK Notify and SNS.
type senders struct {
	w    *scene
	wait sync.WaitGroup

	mu   sync.Mutex
	sent []*sent
}

// send delivers an event until it is acknowledged, and some once or twice more: both
// senders may, and GovWifi's forwarding Lambda does.
func (s *senders) send(e *event, repeats int, door int) {
	record := &sent{event: e}
	s.mu.Lock()
	s.sent = append(s.sent, record)
	s.mu.Unlock()
	s.wait.Go(func() {
		for try := range tries {
			status := s.deliver(e, door+try)
			s.note(record, status)
			if status == 200 || (status >= 400 && status < 500) {
				break
			}
			time.Sleep(pause)
		}
		for i := range repeats {
			time.Sleep(time.Duration(i) * pause)
			s.note(record, s.deliver(e, door+i))
		}
	})
}

// deliver posts once, through one of the two doors as a load balancer does; 0 is no answer.
func (s *senders) deliver(e *event, door int) int {
	patience := notifyPatience
	if e.sns {
		patience = snsPatience
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	world := *s.w.world
	world.Ingest = s.w.doors[door%len(s.w.doors)]
	status, err := world.Deliver(ctx, e.Event)
	if err != nil {
		return 0
	}
	return status
}

func (s *senders) note(r *sent, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.deliveries++
	if !r.acknowledged.IsZero() {
		r.repeated++
	}
	switch {
	case status == 200 && r.acknowledged.IsZero():
		r.acknowledged = time.Now()
	case status >= 400 && status < 500:
		r.refused = status
	}
}
