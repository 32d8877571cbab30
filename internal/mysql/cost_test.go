package mysql

import (
	"fmt"
	"strings"
	"testing"
)

// asked is how many statements work takes, by the server's own count for the only
// connection that there is.
func (b bundle) asked(t *testing.T, work func()) int {
	t.Helper()
	count := func() (n int) {
		var name string
		if err := b.sql.QueryRowContext(t.Context(), "SHOW SESSION STATUS LIKE 'Questions'").Scan(&name, &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	b.sql.SetMaxOpenConns(1)
	before := count()
	work()
	return count() - before - 1
}

// A sign-up takes one round trip to MySQL for a person who is known, two for another.
func TestStatementsOfASignUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []struct {
		what string
		want int
	}{{"new", 2}, {"known", 1}} {
		got := b.asked(t, func() {
			if _, err := b.FindOrCreate(t.Context(), "jo@dept.gov.uk", "jo@dept.gov.uk"); err != nil {
				t.Fatal(err)
			}
		})
		if got > c.want {
			t.Errorf("a sign-up of somebody %s takes %d statements, more than %d", c.what, got, c.want)
		}
	}
}

// Queries read by the index that was made for them, or their time grows with the table:
// the server says which it would use among 5,000 users.
func TestQueriesUseTheirIndex(t *testing.T) {
	t.Parallel()
	b := setup(t)
	exec(t, b.raw, fmt.Sprintf(benchTown, 5000), "ANALYZE TABLE userdetails")
	if _, err := b.FindOrCreate(t.Context(), "jo@dept.gov.uk", "jo@dept.gov.uk"); err != nil {
		t.Fatal(err)
	}
	long, yesterday, today := "2025-11-22", "2026-11-21", "2026-11-22"
	for _, c := range []struct {
		name, query, index string
		args               []any
	}{
		{"a contact", selectUser + "WHERE contact = ? ORDER BY username", "userdetails_contact", []any{"person.7@dept7.gov.uk"}},
		{"a claimant", selectUser + "WHERE contact_key = ?", "userdetails_contact_key", []any{contactKey("jo@dept.gov.uk")}},
		{"who is inactive since a log-in", inactive(""), "userdetails_last_login", []any{long, long}},
		{"the sign-ups of a day", periodQuery, "userdetails_created_at", []any{yesterday, today}},
		{"the sign-ups since a day, to leave out", allQuery, "userdetails_created_at", []any{today}},
		{"orphaned sponsors", orphaned, "userdetails_contact", nil},
	} {
		plan := query(t, b.raw, "EXPLAIN "+c.query, c.args...)
		found := false
		for line := range strings.Lines(plan) {
			// select id, type, table, access, possible keys, key
			fields := strings.Split(line, "\t")
			found = found || len(fields) > 5 && strings.Contains(fields[5], c.index)
		}
		if !found {
			t.Errorf("%s is not read by %s:\n%s", c.name, c.index, plan)
		}
	}
}
