package faultrun

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/govwifi/user-signup/internal/notify/notifytest"
)

// conclude compares what was promised with what there is.
func (r *report) conclude(w *scene, all []*sent) {
	accepted := map[string][]notifytest.Accepted{}
	for _, m := range w.notify.Accepted() {
		r.messages++
		accepted[m.Reference] = append(accepted[m.Reference], m)
	}
	accounts := r.accounts(w)
	archived := map[string]bool{}
	for _, e := range all {
		r.event(e)
		for _, want := range e.wants {
			r.message(e, want, accepted[want.reference], accounts)
			delete(accepted, want.reference)
		}
		if e.archived {
			archived[e.ID] = true
		}
	}
	for reference, messages := range accepted {
		r.wrong("%d messages that nobody asked for: %s to %s", len(messages), reference, messages[0].To)
	}
	r.receipts(w, all)
	r.left(w, archived)
}

// event counts one and looks at how it was answered.
func (r *report) event(e *sent) {
	r.events++
	r.repeated += e.repeated
	if !e.acknowledged.IsZero() {
		r.acknowledged++
	}
	if e.refused != 0 {
		r.wrong("%s %s was answered %d: its sender drops it", e.kind, e.ID, e.refused)
	}
}

// message wants exactly one, with the right words to the right person; none is right only
// for an event whose sender was never told that it is safe.
func (r *report) message(e *sent, want want, got []notifytest.Accepted, accounts map[string]account) {
	switch {
	case len(got) == 0 && e.acknowledged.IsZero():
		return
	case len(got) == 0:
		r.lost++
		r.wrong("LOST: %s %s, acknowledged at %s: no %s to %s", e.kind, want.reference, e.acknowledged.UTC().Format(clockFormat), want.template, want.to)
		return
	case len(got) > 1:
		r.doubled += len(got) - 1
		r.wrong("DOUBLED: %s %s went to %s %d times, at %s", e.kind, want.reference, want.to, len(got), times(got))
	}
	m := got[0]
	if m.To != want.to || m.Template != want.template || !strings.Contains(text(m), want.holds) {
		r.wrong("%s %s: %s to %s, which is not %s to %s about %q", e.kind, want.reference, m.Template, m.To, want.template, want.to, want.holds)
	}
	if want.account {
		name, pass := m.Personalisation["username"]+m.Personalisation["login"], m.Personalisation["password"]+m.Personalisation["pass"]
		if a := accounts[want.to]; a.rows != 1 || a.name != name || a.pass != pass {
			r.wrong("%s %s: %d accounts of %s, or other credentials than those sent", e.kind, want.reference, a.rows, want.to)
		}
	}
	if !e.acknowledged.IsZero() {
		r.longest = max(r.longest, m.At.Sub(e.acknowledged))
	}
}

// text is all that was sent in a message.
func text(m notifytest.Accepted) string {
	var all strings.Builder
	for _, value := range m.Personalisation {
		all.WriteString(value + "\n")
	}
	return all.String()
}

func times(messages []notifytest.Accepted) string {
	var all []string
	for _, m := range messages {
		all = append(all, m.At.UTC().Format(clockFormat))
	}
	return strings.Join(all, ", ")
}

// account is a contact's row, and how many there are.
type account struct {
	rows       int
	name, pass string
}

func (r *report) accounts(w *scene) map[string]account {
	rows, err := w.db.Query("SELECT contact, username, password FROM userdetails")
	if err != nil {
		r.wrong("read the users: %v", err)
		return nil
	}
	defer func() { _ = rows.Close() }()
	all := map[string]account{}
	for rows.Next() {
		var contact string
		var a account
		if err := rows.Scan(&contact, &a.name, &a.pass); err != nil {
			r.wrong("read the users: %v", err)
		}
		a.rows = all[contact].rows + 1
		if all[contact] = a; a.rows > 1 {
			r.wrong("%d accounts of %s", a.rows, contact)
		}
	}
	if err := rows.Err(); err != nil {
		r.wrong("read the users: %v", err)
	}
	return all
}

// receipts wants each message that was reported on to have its last status.
func (r *report) receipts(w *scene, all []*sent) {
	last := map[string]string{}
	for _, e := range all {
		if e.status != "" && !e.acknowledged.IsZero() && last[e.ID] != "delivered" {
			last[e.ID] = e.status
		}
	}
	for id, want := range last {
		var got string
		if err := w.db.QueryRow("SELECT status FROM notifications WHERE id = ?", id).Scan(&got); err != nil || got != want {
			r.lost++
			r.wrong("LOST: message %s is noted as %q, not %s (%v)", id, got, want, err)
		}
	}
}

// left wants nothing in the archive but what belongs there, no batch without an end, and
// one job for each tick of the clock.
func (r *report) left(w *scene, archived map[string]bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, queue := range queues {
		ids, err := jobs(ctx, w, queue, "archived")
		if err != nil {
			r.wrong("read the archive: %v", err)
		}
		for _, id := range ids {
			if !archived[id] {
				r.wrong("job %s is in the archive of %s", id, queue)
			}
		}
	}
	r.batches(ctx, w)
	done, err := jobs(ctx, w, "maintenance", "completed")
	if err != nil {
		r.wrong("read the done jobs: %v", err)
	}
	r.ticks(done)
}

// batches wants no batch open whose receipt is not out. One whose receipt is out may be: that
// it was closed can be forgotten in a failover, and the sweep closes it after an hour.
func (r *report) batches(ctx context.Context, w *scene) {
	open, err := w.store.rdb.ZRange(ctx, "tally:open", 0, -1).Result()
	if err != nil {
		r.wrong("read the open batches: %v", err)
	}
	for _, id := range open {
		if !slices.ContainsFunc(w.notify.Accepted(), func(m notifytest.Accepted) bool { return m.Reference == id+"-receipt" }) {
			r.wrong("batch %s has no end", id)
			continue
		}
		r.say("batch %s is left for the sweep to close", id)
	}
}

// ticks wants one job for each whole minute since the schedulers began; the last may be on
// its way.
func (r *report) ticks(done []string) {
	var owed, missing []string
	for at := r.ready.Add(time.Minute).Truncate(time.Minute); at.Before(time.Now().Add(-time.Minute)); at = at.Add(time.Minute) {
		owed = append(owed, at.UTC().Format("20060102T1504"))
	}
	for _, tick := range owed {
		if !slices.ContainsFunc(done, func(key string) bool { return strings.Contains(key, tick) }) {
			missing = append(missing, tick)
		}
	}
	if r.tickCount = len(owed); len(missing) > 0 {
		r.wrong("ticks without a job: %v among %v", missing, done)
	}
}
