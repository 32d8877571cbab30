package console

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/sandbox/trail"
	"github.com/govwifi/user-signup/internal/sandbox/trouble"
)

// Who the visitor is until they say otherwise.
const (
	defaultPhone   = "07700 900123"
	defaultMailbox = "Jo Smith <jo.smith@dept.gov.uk>"
)

// choice is whose phone and whose mailbox the page shows, and what is in its forms.
type choice struct {
	// Phone and From are as typed; Text and the rest are what a faulty form held.
	Phone, From, Text, To, Subject, Body, Username string
}

func choose(v url.Values) choice {
	return choice{Phone: cmp.Or(v.Get("phone"), defaultPhone), From: cmp.Or(v.Get("from"), defaultMailbox)}
}

// path is the page that shows the choice.
func (c choice) path() string {
	return "/?" + url.Values{"phone": {c.Phone}, "from": {c.From}}.Encode()
}

// tryPage is what the page on which everything is tried shows.
type tryPage struct {
	Choice  choice
	Phone   phone
	Mailbox mailbox
	Ways    []way
	Queues  []queueSize
	Trouble trouble.State
	Ledger  ledger
	Tried   attempt
	Slow    time.Duration
}

func (c *Console) showTry(w http.ResponseWriter, r *http.Request) {
	c.renderTry(r.Context(), w, http.StatusOK, choose(r.URL.Query()), told(r.URL.Query()), nil)
}

// renderTry shows the page; problems are those of a form that was just posted.
func (c *Console) renderTry(ctx context.Context, w http.ResponseWriter, status int, chosen choice, told string, problems []problem) {
	letters, accepted := c.Post.Letters(), c.Notify.Accepted()
	page := tryPage{
		Choice: chosen, Phone: c.phone(chosen.Phone, letters, accepted), Mailbox: c.mailbox(chosen.From, letters, accepted),
		Ways: c.ways(), Queues: c.queues(ctx), Trouble: c.Trouble.State(), Ledger: c.ledger(ctx, accepted), Tried: c.lastTried(), Slow: trouble.Slowness,
	}
	c.show(w, status, "try", frame{Title: "Try the service", Path: "/", Told: told, Problems: problems, Page: page})
}

// queueSize is how many jobs of a queue are in which state.
type queueSize struct {
	Name                                               job.Queue
	Pending, Active, Scheduled, Retry, Archived, Ended int64
}

// Waits counts the jobs that somebody waits for.
func (q queueSize) Waits() int64 { return q.Pending + q.Active + q.Scheduled + q.Retry }

// queues asks Redis; a queue that it does not tell of is shown as empty.
func (c *Console) queues(ctx context.Context) []queueSize {
	sizes := make([]queueSize, len(job.Queues()))
	for i, q := range job.Queues() {
		sizes[i].Name = q
	}
	err := c.Jobs.Measure(ctx, func(queue, state string, n int64) {
		size := &sizes[slices.Index(job.Queues(), job.Queue(queue))]
		switch state {
		case "pending":
			size.Pending = n
		case "active":
			size.Active = n
		case "scheduled":
			size.Scheduled = n
		case "retry":
			size.Retry = n
		case "archived":
			size.Archived = n
		case "completed":
			size.Ended = n
		}
	}, func(string, time.Duration) {})
	if err != nil {
		c.Log.Warn("the queues cannot be measured", "err", err)
	}
	return sizes
}

// way is an event as the page shows it.
type way struct {
	trail.Event
	// Steps are those of the door and of all jobs, in the order of time.
	Steps []wayStep
	// State is one word, and Mood whether it is good, bad or still open.
	State, Mood string
	// Letter says that its webhook can be delivered again from here.
	Letter bool
}

type wayStep struct {
	trail.Step
	// Whose is a batch's job that the step belongs to, empty where there is only one.
	Whose string
	// After is the time since the webhook came in.
	After time.Duration
}

const waysShown = 12

func (c *Console) ways() []way {
	letters := map[string]bool{}
	for _, l := range c.Post.Letters() {
		letters[l.Trace] = true
	}
	var ways []way
	for _, e := range c.Trail.Events(waysShown) {
		w := way{Event: e, Letter: letters[e.Trace]}
		for _, s := range e.Door {
			w.Steps = append(w.Steps, wayStep{Step: s, After: s.At.Sub(e.At)})
		}
		for _, j := range e.Jobs {
			whose := ""
			if len(e.Jobs) > 1 {
				whose = j.Name
				if j.Name != e.Job && j.Name != (job.SponsorReceipt{}).Spec().Name {
					whose += " " + j.About
				}
			}
			for _, s := range j.Steps {
				if whose != "" && s.Detail == j.Name {
					s.Detail = "" // it is said already
				}
				w.Steps = append(w.Steps, wayStep{s, whose, s.At.Sub(e.At)})
			}
		}
		slices.SortStableFunc(w.Steps, func(a, b wayStep) int { return a.At.Compare(b.At) })
		w.State, w.Mood = standing(e)
		ways = append(ways, w)
	}
	return ways
}

// standing sums an event up by the job that is worst off.
func standing(e trail.Event) (state, mood string) {
	count := map[trail.State]int{}
	for _, j := range e.Jobs {
		count[j.State]++
	}
	switch {
	case e.Status != 0 && e.Status != http.StatusOK:
		return "Refused", "bad"
	case e.Again:
		return "Repeat", "quiet"
	case len(e.Jobs) == 0 && e.Status == 0:
		return "Coming in", "open"
	case len(e.Jobs) == 0:
		return "Needs nothing", "quiet"
	case count[trail.GivenUp] > 0:
		return "Given up", "bad"
	case count[trail.Crashed] > 0:
		return "Worker killed", "bad"
	case count[trail.Waiting] > 0:
		return "Tried again later", "bad"
	case count[trail.Taken] > 0:
		return "At work", "open"
	case count[trail.Queued] > 0:
		return "In the queue", "open"
	}
	return "Done", "good"
}

// person is a contact as the page names it.
func person(text string) string {
	if number, err := govwifi.ParsePhone(text); err == nil {
		return national(string(number))
	}
	return text
}

// national is a UK mobile number as people write it.
func national(number string) string {
	if len(number) == len("+447700900123") && number[:4] == "+447" {
		return "0" + number[3:7] + " " + number[7:]
	}
	return number
}
