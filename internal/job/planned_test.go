package job_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/mysql"
	"github.com/govwifi/user-signup/internal/testenv"
)

// town is the maintenance jobs on a real database, with a queue and a Notify that can
// lose things.
type town struct {
	t   *testing.T
	db  *mysql.DB
	raw *sql.DB
	log *slog.Logger
	now time.Time
	// queue holds jobs by key, those done included, as asynq's retention does.
	queue map[string]job.Job
	// enqueueFails counts down to the enqueuing that fails.
	enqueueFails int
	// references is what Notify has accepted, and to whom.
	references map[string]govwifi.Message
	// lost says that the next message is accepted but its answer is lost, away that
	// nothing is accepted.
	lost, away bool
}

var (
	errKilled = errors.New("killed")
	errAway   = errors.New("away")
)

func newTown(t *testing.T, rows ...string) *town {
	t.Helper()
	at := testenv.MySQL(t)
	w := &town{t: t, raw: at.Open(t), log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC), queue: map[string]job.Job{}, references: map[string]govwifi.Message{}}
	db, err := mysql.Open(t.Context(), mysql.Config{Hostname: at.Host, Name: at.Name, User: at.User, Pass: at.Pass, Now: func() time.Time { return w.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.db = db
	if len(rows) > 0 {
		w.exec("INSERT INTO userdetails (username, contact, sponsor, created_at, last_login) VALUES (" + strings.Join(rows, "), (") + ")")
	}
	return w
}

func (w *town) exec(statement string) {
	w.t.Helper()
	if _, err := w.raw.ExecContext(w.t.Context(), statement); err != nil {
		w.t.Fatal(err)
	}
}

// Enqueue keeps one job for each key.
func (w *town) Enqueue(_ context.Context, j job.Job) error {
	if w.enqueueFails--; w.enqueueFails == 0 {
		return errKilled
	}
	if _, known := w.queue[j.Key()]; !known {
		w.queue[j.Key()] = j
	}
	return nil
}

// Send is Notify's, which knows no idempotency.
func (w *town) Send(_ context.Context, m govwifi.Message) error {
	if w.away {
		return errAway
	}
	if _, twice := w.references[m.Reference]; twice {
		w.t.Errorf("%s is sent twice", m.Reference)
	}
	w.references[m.Reference] = m
	if w.lost {
		w.lost = false
		return fmt.Errorf("%w: cut", govwifi.ErrAmbiguous)
	}
	return nil
}

func (w *town) Sent(_ context.Context, reference string) (bool, error) {
	_, sent := w.references[reference]
	return sent, nil
}

func (*town) Take(context.Context, job.Queue) (time.Duration, error) { return 0, nil }
func (*town) Pause(context.Context, time.Duration) error             { return nil }

// Purge has no archive to purge.
func (*town) Purge(context.Context, time.Time) (int, error) { return 0, nil }

// run runs a periodic job of a day.
func (w *town) run(name, date string) error {
	run := job.Run{Date: date, Tick: date}
	planner := job.Planner{Pending: w.db, Jobs: w, Log: w.log}
	switch name {
	case "warn":
		return job.WarnInactiveUsersHandler{Audience: w.db, Planner: planner}.Handle(w.t.Context(), job.WarnInactiveUsers{Run: run})
	case "survey":
		return job.SendSurveysHandler{Audience: w.db, Planner: planner}.Handle(w.t.Context(), job.SendSurveys{Run: run})
	case "followup":
		return job.SendFollowupsHandler{Audience: w.db, Planner: planner}.Handle(w.t.Context(), job.SendFollowups{Run: run})
	}
	return job.DeleteInactiveUsersHandler{Users: w.db, Archive: w, Months: 12, GuestDays: 90, Log: w.log}.
		Handle(w.t.Context(), job.DeleteInactiveUsers{Run: run})
}

// sender sends what is planned, by this Notify.
func (w *town) sender() job.PlannedSender {
	return job.PlannedSender{Plans: w.db, Messages: job.Once{Notify: w, Budget: w}, Log: w.log}
}

// work delivers every job in the queue, as often as it takes.
func (w *town) work() {
	w.t.Helper()
	sender := w.sender()
	for _, j := range w.queue {
		err := errKilled
		for n := 0; err != nil; n++ {
			ctx := job.WithDelivery(w.t.Context(), job.Delivery{First: n == 0 && !j.WasRecovered()})
			switch j := j.(type) {
			case job.ExpiryWarning:
				err = job.ExpiryWarningHandler{PlannedSender: sender}.Handle(ctx, j)
			case job.SurveyInvitation:
				err = job.SurveyInvitationHandler{PlannedSender: sender}.Handle(ctx, j)
			case job.FollowupMessage:
				err = job.FollowupMessageHandler{PlannedSender: sender}.Handle(ctx, j)
			}
			if n == 3 {
				w.t.Fatalf("%s: %v", j.Key(), err)
			}
		}
	}
}

// got is who has been written to, and with what.
func (w *town) got() string {
	var all []string
	for _, m := range w.references {
		all = append(all, strings.TrimSuffix(string(m.To), "@x.uk")+" "+string(m.Template))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func (w *town) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *town) expect(when, want string) {
	w.t.Helper()
	if got := w.got(); got != want {
		w.t.Errorf("%s: sent %q, want %q", when, got, want)
	}
}

// expectDays wants so many surveys, the latest of them to those who signed up on the days.
func (w *town) expectDays(all int, days []int) {
	w.t.Helper()
	got := w.got()
	for _, day := range days {
		if !strings.Contains(got, fmt.Sprintf("p%02d%s", day, survey)) {
			w.t.Errorf("who signed up on day %d is not asked: %q", day, got)
		}
	}
	if n := strings.Count(got, survey); n != all {
		w.t.Errorf("%d were asked, want %d: %q", n, all, got)
	}
}

const (
	warning = " credentials_expiring_notification_email"
	survey  = " active_users_signup_survey_email"
	help    = " followup_email"
)

// Each day of a year of runs, some of them missed, over leap days and month ends: who
// was inactive for 11 months is warned once.
func TestEverybodyIsWarnedOnce(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	first := time.Date(2027, 2, 20, 0, 0, 0, 0, time.UTC)
	var want []string
	for d := first; d.Before(first.AddDate(0, 0, 45)); d = d.AddDate(0, 0, 1) {
		name := d.Format("0102")
		w.exec(fmt.Sprintf("INSERT INTO userdetails (username, contact, sponsor, created_at) VALUES ('u%s', '%s@x.uk', '%[2]s@x.uk', '%s 23:59:59')", name, name, d.Format(time.DateOnly)))
		want = append(want, name+warning)
	}
	for d := 0; d < 60; d++ {
		w.now = time.Date(2028, 1, 20, 9, 0, 0, 0, time.UTC).AddDate(0, 0, d)
		if d%7 == 3 || d%7 == 4 {
			continue // the scheduler was down
		}
		w.must(w.run("warn", w.now.Format(time.DateOnly)))
		w.work()
		// asynq forgets after a day.
		clear(w.queue)
	}
	w.expect("after all", strings.Join(want, ", "))
	for _, m := range w.references {
		if m.Personalisation["username"] == "" || m.Personalisation["inactivity_period"] != "11 months" || m.ReplyTo != govwifi.DoNotReply {
			t.Errorf("sent %v, reply to %v", m.Personalisation, m.ReplyTo)
		}
	}
}

// The table at the head of planned.go, row by row.
func TestKilledInBetween(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ run, row, want string }{
		{"warn", "'bcdfgh', 'jo@x.uk', 'jo@x.uk', '2025-12-20', NULL", "jo" + warning},
		{"survey", "'bcdfgh', 'jo@x.uk', 'jo@x.uk', '2026-11-21', '2026-11-21'", "jo" + survey},
		{"followup", "'bcdfgh', 'jo@x.uk', 'jo@x.uk', '2026-11-10', NULL", "jo" + help},
	} {
		t.Run(c.run, func(t *testing.T) {
			t.Parallel()
			w := newTown(t, c.row)
			w.enqueueFails = 1
			if err := w.run(c.run, "2026-11-22"); !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			w.expect("killed before the message was enqueued", "")
			// The next day's run finds the person no more, but their message.
			w.now = w.now.AddDate(0, 0, 1)
			w.must(w.run(c.run, "2026-11-23"))
			// Sent, but the answer is lost.
			w.lost = true
			w.work()
			w.expect("after the second run", c.want)
			for range 2 {
				w.must(w.run(c.run, "2026-11-23"))
				clear(w.queue)
				w.must(w.run(c.run, "2026-11-22"))
				w.work()
			}
			w.expect("after many runs", c.want)
			if key := slices.Collect(maps.Keys(w.references))[0]; strings.Contains(key, "bcdfgh") || strings.Contains(key, "jo") {
				t.Errorf("the key %s is personal", key)
			}
		})
	}
}

// The queue forgot a job after it had sent its message, before the database was told.
func TestLostQueueSendsNothingTwice(t *testing.T) {
	t.Parallel()
	w := newTown(t, "'bcdfgh', 'jo@x.uk', 'jo@x.uk', '2026-11-21', '2026-11-21'")
	w.must(w.run("survey", "2026-11-22"))
	w.work()
	w.exec("UPDATE user_signup_messages SET sent_at = NULL")
	clear(w.queue)
	w.must(w.run("survey", "2026-11-23"))
	w.work()
	w.expect("after the queue was lost", "jo"+survey)
}

// A message is noted as sent once it is, and not before.
func TestPlannedMessageIsNotedWhenSent(t *testing.T) {
	t.Parallel()
	w := newTown(t, "'bcdfgh', 'jo@x.uk', 'jo@x.uk', '2026-11-21', '2026-11-21'")
	w.must(w.run("survey", "2026-11-22"))
	pending := func(when string, want int) {
		t.Helper()
		ids, err := w.db.PendingMessages(t.Context(), govwifi.SurveyInvitation, "")
		if err != nil || len(ids) != want {
			t.Errorf("%s: %d messages are to be sent, %v; want %d", when, len(ids), err, want)
		}
	}
	invitation := slices.Collect(maps.Values(w.queue))[0].(job.SurveyInvitation)
	deliver := func(s job.PlannedSender) error {
		return job.SurveyInvitationHandler{PlannedSender: s}.Handle(t.Context(), invitation)
	}
	sender := w.sender()
	w.away = true
	if err := deliver(sender); !errors.Is(err, errAway) {
		t.Errorf("without Notify: %v", err)
	}
	pending("without Notify", 1)
	w.away = false
	forgetful := sender
	forgetful.Plans = noNotes{w.db}
	if err := deliver(forgetful); !errors.Is(err, errKilled) {
		t.Errorf("sent, but not noted: %v", err)
	}
	pending("sent, but not noted", 1)
	w.must(deliver(sender))
	pending("in the end", 0)
	w.expect("in the end", "jo"+survey)
}

// noNotes fails to note that a message was sent.
type noNotes struct{ *mysql.DB }

func (noNotes) MarkSent(context.Context, string) error { return errKilled }

// What happens to people between the plan and the sending.
func TestPlannedMessagesThatAreNotWanted(t *testing.T) {
	t.Parallel()
	rows := map[string]string{
		"warn":     "'bcdfgh', 'jo@x.uk', 'jo@x.uk', '2019-01-01', '2025-12-20'",
		"survey":   "'bcdfgh', 'jo@x.uk', 'jo@x.uk', '2026-11-21', '2026-11-21'",
		"followup": "'bcdfgh', 'jo@x.uk', 'jo@x.uk', '2026-11-10', NULL",
	}
	for _, c := range []struct{ run, event string }{
		{"warn", "UPDATE userdetails SET notifications_opt_out = 1"},
		{"warn", "UPDATE userdetails SET last_login = '2026-11-22'"},
		{"warn", "DELETE FROM userdetails"},
		{"survey", "UPDATE userdetails SET survey_opt_out = 1"},
		{"survey", "DELETE FROM userdetails"},
		{"survey", "UPDATE userdetails SET created_at = '2026-11-22 08:00:00', contact = 'else@x.uk'"}, // the username was drawn again
		{"followup", "UPDATE userdetails SET notifications_opt_out = 1"},
		{"followup", "UPDATE userdetails SET last_login = '2026-11-22'"},
		{"followup", "DELETE FROM userdetails"},
		{"followup", "UPDATE userdetails SET created_at = '2026-11-22 08:00:00', contact = 'else@x.uk'"},
	} {
		t.Run(c.run, func(t *testing.T) {
			t.Parallel()
			w := newTown(t, rows[c.run])
			w.must(w.run(c.run, "2026-11-22"))
			if len(w.queue) != 1 {
				t.Fatalf("enqueued %v", w.queue)
			}
			w.exec(c.event)
			w.work()
			w.expect(c.event, "")
		})
	}
}

// Boundaries to the second, from the run's date to the database.
func TestWhoIsWrittenTo(t *testing.T) {
	t.Parallel()
	for run, c := range map[string]struct {
		// columns are created_at and last_login of a person who was active at a time.
		columns  string
		in, out  []string
		received string
	}{
		"warn": {"'2019-01-01', '%s'", []string{"2025-12-15 00:00:00", "2025-12-18 12:00:00", "2025-12-22 23:59:59"},
			[]string{"2025-12-14 23:59:59", "2025-12-23 00:00:00"}, warning},
		"survey": {"'%s', '2026-11-21'", []string{"2026-11-21 00:00:00", "2026-11-21 23:59:59"},
			[]string{"2026-11-20 23:59:59", "2026-11-22 00:00:00"}, survey},
		"followup": {"'%s', NULL", []string{"2026-11-19 23:59:59", "2020-02-29 12:00:00"}, []string{"2026-11-20 00:00:00", "2026-11-22 08:00:00"}, help},
	} {
		t.Run(run, func(t *testing.T) {
			t.Parallel()
			var rows, want []string
			for i, at := range append(slices.Clone(c.in), c.out...) {
				rows = append(rows, fmt.Sprintf("'bcdfg%d', 'p%d@x.uk', 'p%d@x.uk', "+c.columns, i, i, i, at))
				if i < len(c.in) {
					want = append(want, fmt.Sprintf("p%d", i)+c.received)
				}
			}
			w := newTown(t, rows...)
			w.must(w.run(run, "2026-11-22"))
			w.work()
			w.expect(run, strings.Join(want, ", "))
		})
	}
}

// The days that no run of surveys has seen are made up for by the next, up to 7 of them;
// a run for a day of the past asks about that day alone.
func TestMissedSurveys(t *testing.T) {
	t.Parallel()
	var rows []string
	for day := 8; day <= 21; day++ {
		rows = append(rows, fmt.Sprintf("'bcdf%02d', 'p%02d@x.uk', 'p%02d@x.uk', '2026-11-%02d 12:00:00', '2026-11-22'", day, day, day, day))
	}
	w := newTown(t, rows...)
	asked := 0
	for _, step := range []struct {
		date string
		days []int
	}{
		{"2026-11-22", []int{21}},
		{"2026-11-10", []int{9}},
		{"2026-11-22", nil},
	} {
		w.must(w.run("survey", step.date))
		w.work()
		asked += len(step.days)
		w.expectDays(asked, step.days)
	}
	w = newTown(t, rows...)
	w.must(w.run("survey", "2026-11-09"))
	w.must(w.run("survey", "2026-11-12"))
	w.work()
	w.expectDays(4, []int{8, 9, 10, 11})
	w.must(w.run("survey", "2026-11-22"))
	w.work()
	w.expectDays(12, []int{14, 15, 16, 17, 18, 19, 20, 21})
}

// Boundaries to the second, from the run's date to the database.
func TestWhoIsDeleted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ date, activity, left string }{
		{"2026-11-22", "2025-11-23", "self"}, // 364 days
		{"2026-11-22", "2025-11-22", "self"}, // 365
		{"2026-11-22", "2025-11-21 23:59:59", ""},
		{"2026-11-22", "2025-11-21", ""}, // 366
		{"2026-11-22", "2026-08-24", "guest self"},
		{"2026-11-22", "2026-08-23 23:59:59", "self"}, // 90 days and a second
		{"2024-02-29", "2023-02-28 00:00:00", "self"},
		{"2024-02-29", "2023-02-27 23:59:59", ""},
		{"2025-02-28", "2024-02-28", "self"}, // 366 days, but 12 months
		{"2025-03-01", "2024-02-29", ""},
		{"2025-03-31", "2024-03-31", "self"},
		{"2027-03-28", "2026-12-28", "guest self"}, // British summer time begins
		{"2027-03-29", "2026-12-28 23:59:59", "self"},
		{"2027-10-31", "2027-08-02", "guest self"}, // and ends
		{"2027-11-01", "2027-08-02 23:59:59", "self"},
	} {
		for _, columns := range []string{"'%s', NULL", "'2010-01-01', '%s'"} {
			t.Run(c.date+" "+columns, func(t *testing.T) {
				t.Parallel()
				when := fmt.Sprintf(columns, c.activity)
				w := newTown(t, "'guest', 'g@x.uk', 'boss@x.uk', "+when, "'self', 's@x.uk', 'S@x.uk', "+when, "'HEALTH', NULL, NULL, '2010-01-01', NULL")
				w.must(w.run("delete", c.date))
				var left string
				w.must(w.raw.QueryRowContext(t.Context(), "SELECT COALESCE(GROUP_CONCAT(username ORDER BY username SEPARATOR ' '), '') FROM userdetails WHERE username <> 'HEALTH'").Scan(&left))
				var health int
				w.must(w.raw.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM userdetails WHERE username = 'HEALTH'").Scan(&health))
				if left != c.left || health != 1 {
					t.Errorf("on %s, active %s: %q are left, want %q; HEALTH %d", c.date, c.activity, left, c.left, health)
				}
			})
		}
	}
}
