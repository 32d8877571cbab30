package faultrun

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/govwifi/user-signup/internal/notify/notifytest"
)

// refused is how the addresses begin that Notify refuses for good.
const refused = "refused"

// moods is what is wrong with GOV.UK Notify at the moment. A mood takes half of the
// requests, so that whoever tries again may meet it or not.
type moods struct {
	mu    sync.Mutex
	mood  *mood
	ahead time.Duration
}

// mood is one way to go wrong. Either func may be nil: such requests are then well.
type mood struct {
	send, read func() notifytest.Fault
}

func (m *moods) set(now *mood) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mood = now
}

// step puts Notify's clock forward, or back, from the true time.
func (m *moods) step(ahead time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ahead = ahead
}

func (m *moods) now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Now().Add(m.ahead)
}

// play is the stand-in's script.
func (m *moods) play(r notifytest.Request) notifytest.Fault {
	if r.IsSend() && strings.HasPrefix(r.To, refused) {
		return notifytest.Fault{Status: http.StatusBadRequest, Error: "ValidationError", Message: "email_address Not a valid email address"}
	}
	m.mu.Lock()
	mood := m.mood
	m.mu.Unlock()
	if mood == nil || rand.IntN(2) == 0 {
		return notifytest.Fault{}
	}
	if answer := mood.answer(r); answer != nil {
		return answer()
	}
	return notifytest.Fault{}
}

func (m *mood) answer(r notifytest.Request) func() notifytest.Fault {
	if r.IsSend() {
		return m.send
	}
	return m.read
}

// always is a fault without chance in it.
func always(f notifytest.Fault) func() notifytest.Fault {
	return func() notifytest.Fault { return f }
}

// latest is the most that Notify takes to commit what it was sent: its server cuts
// every request off after 30 s (docs/facts.md, A6).
const latest = 29 * time.Second

// late cuts the line at once and commits when the sender has long gone.
func late() notifytest.Fault {
	return notifytest.Fault{Cut: true, Commit: func(commit func()) {
		time.AfterFunc(time.Second+rand.N(latest-time.Second), commit)
	}}
}
