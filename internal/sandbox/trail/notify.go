package trail

import (
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// Asked notes that GOV.UK Notify was asked whether it has a message already, as is done
// before anything is sent a second time.
func (t *Trail) Asked(reference string, at time.Time) {
	t.note(reference, Step{At: at, What: "Notify asked", Detail: "whether it has this message already"})
}

// Accepted notes that GOV.UK Notify took a message. A job's key is its message's
// reference.
func (t *Trail) Accepted(reference string, template govwifi.Template, to string, at time.Time) {
	t.note(reference, Step{At: at, What: "Notify accepted", Detail: string(template) + " to " + govwifi.Mask(to)})
}

// Killed notes that the worker is gone, with the jobs that it had taken.
func (t *Trail) Killed(at time.Time) {
	t.mu.Lock()
	for _, j := range t.jobs {
		if j.State == Taken {
			j.State = Crashed
			j.Steps = append(j.Steps, Step{at, "Worker killed", "in the middle of this job: its lease ends within 30 s, and a worker " +
				"that runs finds it 30 s to 90 s after that", true})
		}
	}
	t.mu.Unlock()
	t.Changed()
}

func (t *Trail) note(key string, s Step) {
	t.mu.Lock()
	j := t.jobs[key]
	if j != nil {
		j.Steps = append(j.Steps, s)
	}
	t.mu.Unlock()
	if j != nil {
		t.Changed()
	}
}
