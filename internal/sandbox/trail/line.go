package trail

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// line is a line of the service's log, as far as it is looked at.
type line struct {
	Time     time.Time `json:"time"`
	Level    string    `json:"level"`
	Message  string    `json:"msg"`
	Trace    string    `json:"trace"`
	Job      string    `json:"job"`
	Key      string    `json:"key"`
	About    string    `json:"about"`
	Attempt  int       `json:"attempt"`
	Outcome  string    `json:"outcome"`
	Wait     span      `json:"wait"`
	Duration span      `json:"duration"`
	Err      string    `json:"err"`
	Reason   string    `json:"reason"`
}

// span is a duration as the log has it, such as 1.5s.
type span struct{ time.Duration }

// UnmarshalText reads it.
func (s *span) UnmarshalText(text []byte) (err error) {
	s.Duration, err = time.ParseDuration(string(text))
	return err
}

// Write takes one line, as slog's JSON handler writes it. What is no such line, or has
// no trace, is passed over.
func (t *Trail) Write(text []byte) (int, error) {
	var l line
	if json.Unmarshal(text, &l) != nil || l.Trace == "" {
		return len(text), nil
	}
	t.take(l)
	t.Changed()
	return len(text), nil
}

func (t *Trail) take(l line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case strings.HasPrefix(l.Message, "method="):
		t.request(l)
	case l.Message == "queued":
		t.queued(l)
	case l.Message == "taken":
		e := t.event(l.Trace, l.Time)
		if l.Trace == l.Key { // the worker's own, for a job that came without a webhook's
			e.Periodic, e.Job, e.Key = true, l.Job, l.Key
		}
		j := t.job(l.Job, l.Key, e)
		j.State = Taken
		j.add(l.Time, "Taken by the worker", fmt.Sprintf("attempt %d, %s after it was queued", l.Attempt, short(l.Wait.Duration)))
	case l.Message == "user found", l.Message == "user created":
		j := t.job(l.Job, l.Key, t.event(l.Trace, l.Time))
		j.add(l.Time, sentence(l.Message), "in userdetails")
	case l.Message == "job":
		t.ended(l)
	case l.Level != "DEBUG":
		t.remark(l)
	}
}

// request is the one line that ingest writes for each request, after its answer.
func (t *Trail) request(l line) {
	words := map[string]string{}
	for _, word := range strings.Fields(l.Message) {
		name, value, _ := strings.Cut(word, "=")
		words[name] = value
	}
	if words["method"] != "POST" {
		return
	}
	seconds, _ := strconv.ParseFloat(words["duration"], 64)
	took := time.Duration(seconds * float64(time.Second))
	e := t.event(l.Trace, l.Time)
	e.At = l.Time.Add(-took)
	e.Status, _ = strconv.Atoi(words["status"])
	step := Step{At: e.At, What: "Webhook accepted", Detail: fmt.Sprintf("answered %d in %s", e.Status, short(took))}
	if e.Status != 200 {
		step.What, step.Bad = "Webhook refused", true
	} else {
		t.acknowledged++
		if e.Key == "" || e.Again {
			t.idle++
		}
	}
	e.Door = append([]Step{step}, e.Door...)
}

// queued is written by ingest for a webhook's job, and by a worker for those that come
// of another.
func (t *Trail) queued(l line) {
	e := t.event(l.Trace, l.Time)
	known := t.jobs[l.Key]
	if e.Job == "" {
		e.Job, e.Key, e.About = l.Job, l.Key, l.About
		if known != nil && known.event != e {
			e.Again = true
			e.Door = append(e.Door, Step{At: l.Time, What: "Known already",
				Detail: "the event's job was queued at " + known.Steps[0].At.Local().Format(time.TimeOnly) + ": nothing is queued twice"})
			return
		}
	}
	j := t.job(l.Job, l.Key, e)
	j.About = l.About
	if !j.has("Queued") { // else a batch's second attempt
		j.add(l.Time, "Queued", l.Job)
	}
}

// ended is the one line that each attempt gets.
func (t *Trail) ended(l line) {
	j := t.job(l.Job, l.Key, t.event(l.Trace, l.Time))
	step := Step{At: l.Time, What: "Done", Detail: "in " + short(l.Duration.Duration)}
	switch l.Outcome {
	case "done":
		j.State = Done
	case "retry":
		j.State = Waiting
		step = Step{l.Time, "Failed, to be tried again", l.Err, true}
	default:
		j.State = GivenUp
		step = Step{l.Time, "Given up", l.Err, true}
	}
	j.Steps = append(j.Steps, step)
}

// remark is any other line about an event: why it needed nothing, or what went wrong.
func (t *Trail) remark(l line) {
	step := Step{l.Time, sentence(l.Message), strings.TrimSpace(l.Reason + " " + l.Err), l.Level == "ERROR"}
	if j := t.jobs[l.Key]; j != nil {
		j.Steps = append(j.Steps, step)
		return
	}
	e := t.event(l.Trace, l.Time)
	e.Door = append(e.Door, step)
}

func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

func (j *entry) add(at time.Time, what, detail string) {
	j.Steps = append(j.Steps, Step{At: at, What: what, Detail: detail})
}

func (j *entry) has(what string) bool {
	for _, s := range j.Steps {
		if s.What == what {
			return true
		}
	}
	return false
}

// short is a duration as people read it.
func short(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}
