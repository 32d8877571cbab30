package mysql

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

const (
	// audiencePage is how many people are read, planned and marked at a time: few
	// enough for the mark's locks to last milliseconds.
	audiencePage = 200
	// pendingPage is how many ids of planned messages are listed at a time.
	pendingPage = 1000
	// planLife is how long a planned message may still be sent. Notify knows for 7
	// days what it has sent; after that, asking could not prevent a second message.
	planLife = 5 * 24 * time.Hour
	// planMemory is how long a plan keeps the same person from being planned for the
	// same occasion again: longer than the 8 days that a warning looks back.
	planMemory = 30 * 24 * time.Hour
)

// audience is who a purpose's messages are planned for. Its parts are SQL on userdetails.
type audience struct {
	purpose govwifi.Purpose
	// occasion is the time that the message is about.
	occasion string
	// who selects the people, with args.
	who  string
	args []any
	// wanted is who of them gets a message; the others are only marked.
	wanted string
	// mark is the column that says that somebody has been dealt with; empty for none.
	// With one, a person with two rows is written to for the first of them alone: old
	// rows may hold the same contact twice.
	mark string
}

// marked is whether another row of the same person bears a mark.
const marked = "EXISTS (SELECT 1 FROM userdetails other WHERE other.contact = userdetails.contact AND" +
	" BINARY LOWER(other.contact) = BINARY LOWER(userdetails.contact) AND other.username <> userdetails.username AND other.%s IS NOT NULL)"

const hasEmail = "contact LIKE '%@%'"

// PlanExpiryWarnings plans a warning for each person with an email address whose last
// activity was in the span, unless they opted out or have one for that activity. It
// returns how many are new.
func (d *DB) PlanExpiryWarnings(ctx context.Context, lastActivity govwifi.Span) (int, error) {
	return d.plan(ctx, audience{
		purpose: govwifi.ExpiryWarning, occasion: "CAST(COALESCE(last_login, created_at) AS datetime)", wanted: "TRUE",
		who: hasEmail + " AND notifications_opt_out = 0 AND" +
			" (last_login >= ? AND last_login < ? OR last_login IS NULL AND created_at >= ? AND created_at < ?)",
		args: []any{lastActivity.From, lastActivity.To, lastActivity.From, lastActivity.To},
	})
}

// PlanSurveys plans a survey for each self-signup created in the span who has logged in,
// was never asked and did not opt out, and marks them. It returns how many are new.
func (d *DB) PlanSurveys(ctx context.Context, created govwifi.Span) (int, error) {
	return d.plan(ctx, audience{
		purpose: govwifi.SurveyInvitation, occasion: "created_at", wanted: "TRUE", mark: "signup_survey_sent_at",
		who: inSpan + " AND contact = sponsor AND last_login IS NOT NULL" +
			" AND signup_survey_sent_at IS NULL AND survey_opt_out = 0",
		args: []any{created.From, created.To},
	})
}

// sendSurveys names the job in user_signup_progress.
const sendSurveys = "send-surveys"

// SurveyedUntil is the end of the latest span that surveys were planned for; zero if
// none ever was.
func (d *DB) SurveyedUntil(ctx context.Context) (time.Time, error) {
	until, err := d.reached(ctx, sendSurveys)
	if err != nil {
		return time.Time{}, fmt.Errorf("read until when people were surveyed: %w", err)
	}
	return until, nil
}

// NoteSurveyed notes the end of a span that surveys are planned for. An earlier one
// changes nothing.
func (d *DB) NoteSurveyed(ctx context.Context, until time.Time) error {
	if err := d.reach(ctx, sendSurveys, until); err != nil {
		return fmt.Errorf("note until when people were surveyed: %w", err)
	}
	return nil
}

// PlanFollowups marks each self-signup created before the given time that never logged
// in and is not marked, and plans a message for those with an email address who did not
// opt out. It returns how many of these are new.
func (d *DB) PlanFollowups(ctx context.Context, created time.Time) (int, error) {
	return d.plan(ctx, audience{
		purpose: govwifi.Followup, occasion: "created_at", mark: "followup_sent_at",
		wanted: hasEmail + " AND notifications_opt_out = 0",
		who:    "created_at < ? AND contact = sponsor AND last_login IS NULL AND followup_sent_at IS NULL",
		args:   []any{created},
	})
}

// person is a row of an audience.
type person struct {
	username string
	occasion time.Time
	wanted   bool
}

// plan goes through an audience in the order of usernames. Each page is planned before
// it is marked, so that a run that is killed in between only meets its own plans.
func (d *DB) plan(ctx context.Context, a audience) (int, error) {
	if err := d.dropOldPlans(ctx); err != nil {
		return 0, fmt.Errorf("drop old plans: %w", err)
	}
	after, planned := "", 0
	for {
		page, err := d.people(ctx, a, after)
		if err != nil {
			return planned, fmt.Errorf("find people for %s: %w", a.purpose, err)
		}
		if len(page) == 0 {
			return planned, nil
		}
		n, err := d.insertPlans(ctx, a.purpose, page)
		planned += n
		if err != nil {
			return planned, fmt.Errorf("plan %s: %w", a.purpose, err)
		}
		if err := d.mark(ctx, a.mark, page); err != nil {
			return planned, fmt.Errorf("mark people for %s: %w", a.purpose, err)
		}
		after = page[len(page)-1].username
	}
}

// people is the page of an audience behind a username.
func (d *DB) people(ctx context.Context, a audience, after string) ([]person, error) {
	wanted := a.wanted
	if a.mark != "" {
		wanted += " AND NOT " + fmt.Sprintf(marked, a.mark)
	}
	query := fmt.Sprintf("SELECT username, %s, %s, LOWER(contact) FROM userdetails WHERE username > ? AND username <> '%s' AND %s ORDER BY username LIMIT %d",
		a.occasion, wanted, health, a.who, audiencePage)
	return retry(ctx, func() ([]person, error) {
		rows, err := d.sql.QueryContext(ctx, query, append([]any{after}, a.args...)...)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		var page []person
		seen := map[string]bool{} // on this page, where nobody is marked yet
		for rows.Next() {
			var p person
			var contact string
			if err := rows.Scan(&p.username, &p.occasion, &p.wanted, &contact); err != nil {
				return nil, err
			}
			p.wanted = p.wanted && (a.mark == "" || !seen[contact])
			seen[contact] = true
			page = append(page, p)
		}
		return page, rows.Err()
	})
}

// insertPlans stores a plan with a new id for each person who has none for the occasion,
// and returns how many that were.
func (d *DB) insertPlans(ctx context.Context, purpose govwifi.Purpose, page []person) (int, error) {
	var values []any
	for _, p := range page {
		if p.wanted {
			values = append(values, rand.Text(), string(purpose), p.username, p.occasion, d.wholeSecond())
		}
	}
	if len(values) == 0 {
		return 0, nil
	}
	rows := strings.TrimSuffix(strings.Repeat("(?,?,?,?,?),", len(values)/5), ",")
	return d.change(ctx, "INSERT IGNORE INTO user_signup_messages (id, purpose, username, occasion, planned_at) VALUES "+rows, values...)
}

// markStatement takes a column and usernames. The hint is as in deleteStill.
const markStatement = "UPDATE userdetails FORCE INDEX (`PRIMARY`) SET %[1]s = ? WHERE username IN (%[2]s) AND %[1]s IS NULL"

// mark notes in the people's own rows, by primary key, that they are dealt with.
func (d *DB) mark(ctx context.Context, column string, page []person) error {
	if column == "" {
		return nil
	}
	values := []any{d.wholeSecond()}
	for _, p := range page {
		values = append(values, p.username)
	}
	_, err := d.change(ctx, fmt.Sprintf(markStatement, column, placeholders(len(page))), values...)
	return err
}

// PendingMessages is a page of the ids of a purpose's unsent messages, behind the given
// one; an empty page is the last. Those too old to be sent are not among them.
func (d *DB) PendingMessages(ctx context.Context, purpose govwifi.Purpose, after string) ([]string, error) {
	ids, err := d.usernames(ctx, fmt.Sprintf(`SELECT id FROM user_signup_messages
WHERE purpose = ? AND sent_at IS NULL AND planned_at >= ? AND id > ? ORDER BY id LIMIT %d`, pendingPage),
		string(purpose), d.wholeSecond().Add(-planLife), after)
	if err != nil {
		return nil, fmt.Errorf("read planned messages: %w", err)
	}
	return ids, nil
}

// Addressee is whom an unsent message is for, as their row is now, without a password.
// govwifi.ErrNotFound if the message has been sent or is too old, or the row is gone.
func (d *DB) Addressee(ctx context.Context, messageID string) (govwifi.Addressee, error) {
	var a govwifi.Addressee
	err := d.row(ctx, "SELECT username, occasion FROM user_signup_messages WHERE id = ? AND sent_at IS NULL AND planned_at >= ?",
		[]any{messageID, d.wholeSecond().Add(-planLife)}, &a.User.Username, &a.Occasion)
	if err == nil {
		// Not a join: the shared table may have another charset, in which the
		// server could not use the primary key.
		var contact string
		var created, login sql.NullTime
		err = d.row(ctx, "SELECT contact, created_at, last_login, notifications_opt_out, survey_opt_out FROM userdetails WHERE username = ? AND contact IS NOT NULL",
			[]any{a.User.Username}, &contact, &created, &login, &a.NotificationsOptOut, &a.SurveyOptOut)
		a.User.Contact, a.User.CreatedAt, a.User.LastLogin = govwifi.Contact(contact), created.Time, login.Time
	}
	if errors.Is(err, sql.ErrNoRows) {
		return govwifi.Addressee{}, govwifi.ErrNotFound
	}
	if err != nil {
		return govwifi.Addressee{}, fmt.Errorf("read the addressee: %w", err)
	}
	return a, nil
}

// MarkSent notes that a planned message has been sent, or is not wanted any more.
func (d *DB) MarkSent(ctx context.Context, messageID string) error {
	_, err := d.change(ctx, "UPDATE user_signup_messages SET sent_at = ? WHERE id = ?", d.wholeSecond(), messageID)
	if err != nil {
		return fmt.Errorf("mark a message as sent: %w", err)
	}
	return nil
}

// dropOldPlans forgets who was written to, a thousand rows at a time.
func (d *DB) dropOldPlans(ctx context.Context) error {
	const some = 1000
	for {
		n, err := d.change(ctx, fmt.Sprintf("DELETE FROM user_signup_messages WHERE planned_at < ? LIMIT %d", some),
			d.wholeSecond().Add(-planMemory))
		if err != nil || n < some {
			return err
		}
	}
}

// wholeSecond is now, cut to what the columns hold: the server would round, even up.
func (d *DB) wholeSecond() time.Time { return d.now().UTC().Truncate(time.Second) }
