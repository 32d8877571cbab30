// Package trail follows each event from its webhook to its messages. It reads what the
// service itself says, one log line at a time, as an operator would who searches
// LOG_FORMAT=json lines for a trace, and what the GOV.UK Notify stand-in saw; it times
// nothing of its own.
package trail

import (
	"slices"
	"sync"
	"time"
)

// Event is one webhook, or one run of a periodic job, and all that came of it.
type Event struct {
	// Trace is the id that all its lines carry.
	Trace string
	// Job and Key name what the door made of it, About says whom it concerns, masked.
	// All are empty where the event needed nothing or was refused.
	Job, Key, About string
	// Periodic says that the clock or an operator began it, and no webhook.
	Periodic bool
	// Again says that an earlier webhook of the same event was queued, so this one
	// changed nothing.
	Again bool
	// At is when the webhook came in, Status what it was answered; 0 until then.
	At     time.Time
	Status int
	// Door are the steps before a job took over, Jobs what happened to each of them.
	Door []Step
	Jobs []Job
}

// Job is one job of an event. A sponsor's mail has many.
type Job struct {
	Name, Key, About string
	Steps            []Step
	State            State
}

// State is where a job stands, by the last line about it.
type State string

// The states.
const (
	Queued  State = "queued"
	Taken   State = "taken"
	Waiting State = "waiting" // for its next attempt
	Done    State = "done"
	GivenUp State = "given up"
	Crashed State = "crashed" // its worker was killed
)

// Step is one thing that happened.
type Step struct {
	At time.Time
	// What is a few words, Detail what goes with them; both are masked.
	What, Detail string
	// Bad says that the step failed.
	Bad bool
}

// remembered is how many events are kept: more than anyone scrolls through, little
// enough to hold in memory for days.
const remembered = 300

// Trail remembers the latest events. It is an io.Writer of JSON log lines.
type Trail struct {
	// Changed is called after each change; it must not call back.
	Changed func()

	mu     sync.Mutex
	events []*Event // oldest first
	// jobs finds a job by its key, for as long as the sandbox runs: the counters
	// need all of them.
	jobs map[string]*entry
	keys []string
	// acknowledged counts the 200s, idle those that began no job.
	acknowledged, idle int
}

// entry is a job with the event that it belongs to.
type entry struct {
	Job
	event *Event
}

// New makes an empty trail.
func New(changed func()) *Trail { return &Trail{Changed: changed, jobs: map[string]*entry{}} }

// Events are copies of the latest events that a webhook began, newest first. Periodic
// jobs would leave no room for them: one look at the year's figures begins dozens.
func (t *Trail) Events(limit int) []Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	var events []Event
	for _, e := range slices.Backward(t.events) {
		if len(events) == limit {
			break
		}
		if e.Periodic {
			continue
		}
		copied := *e
		copied.Door, copied.Jobs = slices.Clone(e.Door), nil
		for _, key := range t.keys {
			if j := t.jobs[key]; j.event == e {
				job := j.Job
				job.Steps = slices.Clone(j.Steps)
				slices.SortStableFunc(job.Steps, func(a, b Step) int { return a.At.Compare(b.At) })
				copied.Jobs = append(copied.Jobs, job)
			}
		}
		events = append(events, copied)
	}
	return events
}

// Jobs are all jobs that were ever heard of, without their steps, oldest first.
func (t *Trail) Jobs() []Job {
	t.mu.Lock()
	defer t.mu.Unlock()
	jobs := make([]Job, 0, len(t.keys))
	for _, key := range t.keys {
		j := t.jobs[key].Job
		j.Steps = nil
		jobs = append(jobs, j)
	}
	return jobs
}

// Acknowledged counts the webhooks that were answered 200, and those of them that were
// repeats or needed nothing.
func (t *Trail) Acknowledged() (all, idle int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.acknowledged, t.idle
}

// event finds the event of a trace, or begins one.
func (t *Trail) event(trace string, at time.Time) *Event {
	for _, e := range slices.Backward(t.events) {
		if e.Trace == trace {
			return e
		}
	}
	e := &Event{Trace: trace, At: at}
	t.events = append(t.events, e)
	if extra := len(t.events) - remembered; extra > 0 {
		t.events = slices.Delete(t.events, 0, extra)
	}
	return e
}

// job finds a job by its key, or begins one that belongs to the event.
func (t *Trail) job(name, key string, e *Event) *entry {
	j := t.jobs[key]
	if j == nil {
		j = &entry{Job{Name: name, Key: key, State: Queued}, e}
		t.jobs[key] = j
		t.keys = append(t.keys, key)
	}
	return j
}
