package mysql

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// insert adds users: each row is username, contact, sponsor, created_at, last_login in
// SQL. NULL is NULL.
func insert(t *testing.T, b bundle, rows ...string) {
	t.Helper()
	exec(t, b.raw, "INSERT INTO userdetails (username, contact, sponsor, created_at, last_login, updated_at) VALUES ("+
		strings.Join(rows, ", '2020-01-01'), (")+", '2020-01-01')")
}

func usernames(t *testing.T, b bundle) string {
	t.Helper()
	return strings.ReplaceAll(query(t, b.raw, "SELECT username FROM userdetails ORDER BY username"), "\n", " ")
}

func date(text string) time.Time {
	d, err := time.Parse(time.DateTime, text)
	if err != nil {
		panic(err)
	}
	return d
}

func TestDeleteInactive(t *testing.T) {
	t.Parallel()
	b := setup(t)
	insert(t, b,
		"'HEALTH', NULL, NULL, '2019-01-01', NULL",
		"'newlog', 'a@x.uk', 'a@x.uk', '2019-01-01', '2025-11-22'",
		"'oldlog', 'b@x.uk', 'b@x.uk', '2019-01-01', '2025-11-21'",
		"'second', 'c@x.uk', 'c@x.uk', '2019-01-01', '2025-11-21 23:59:59'",
		"'newnev', 'd@x.uk', 'd@x.uk', '2025-11-22 00:00:00', NULL",
		"'oldnev', 'e@x.uk', 'e@x.uk', '2025-11-21 23:59:59', NULL",
		"'dupold', 'F@x.uk', 'f@x.uk', '2019-01-01', '2020-01-01'",
		"'dupnew', 'f@x.uk', 'f@x.uk', '2019-01-01', '2026-01-01'",
		"'nocont', NULL, NULL, '2019-01-01', NULL",
		"'guest1', '+447700900123', 'boss@x.uk', '2019-01-01', '2025-11-21'")
	for range 2 { // the second time there is nothing left
		if _, err := b.DeleteInactive(t.Context(), date("2025-11-22 00:00:00")); err != nil {
			t.Fatal(err)
		}
		if got := usernames(t, b); got != "dupnew HEALTH newlog newnev" {
			t.Errorf("left: %s", got)
		}
	}
}

// Who has no sponsor, or a sponsor that differs in case only, is no guest.
func TestDeleteInactiveGuests(t *testing.T) {
	t.Parallel()
	b := setup(t)
	insert(t, b,
		"'HEALTH', NULL, NULL, '2019-01-01', NULL",
		"'selfxx', 'a@x.uk', 'A@x.uk', '2026-01-01', NULL",
		"'nospon', 'b@x.uk', NULL, '2026-01-01', NULL",
		"'newlog', 'c@x.uk', 'boss@x.uk', '2026-01-01', '2026-08-24'",
		"'oldlog', 'd@x.uk', 'boss@x.uk', '2026-01-01', '2026-08-23 23:59:59'",
		"'newnev', '+447700900123', 'boss@x.uk', '2026-08-24', NULL",
		"'oldnev', '+447700900124', 'boss@x.uk', '2026-08-23 23:59:59', NULL",
		"'phonex', 'e@x.uk', '+447700900125', '2026-01-01', NULL",
		"'dupold', 'f@x.uk', 'boss@x.uk', '2026-01-01', NULL",
		"'dupnew', 'f@x.uk', 'boss@x.uk', '2026-01-01', '2026-11-01'")
	if n, err := b.DeleteInactiveGuests(t.Context(), date("2026-08-24 00:00:00")); n != 4 || err != nil {
		t.Errorf("%d deleted, %v", n, err)
	}
	if got := usernames(t, b); got != "dupnew HEALTH newlog newnev nospon selfxx" {
		t.Errorf("left: %s", got)
	}
}

func TestObfuscateSponsors(t *testing.T) {
	t.Parallel()
	b := setup(t)
	insert(t, b,
		"'HEALTH', NULL, NULL, '2019-01-01', NULL",
		"'selfxx', 'own@gov.uk', 'Own@gov.uk', '2026-01-01', NULL",
		"'kept01', 'g1@x.uk', 'OWN@gov.uk', '2026-01-01', NULL",
		"'gone01', 'g2@x.uk', 'sally@gov.uk', '2026-01-01', NULL",
		"'gone02', 'g3@x.uk', 'Sally@Dept.gov.uk', '2026-01-01', NULL",
		"'govgov', 'g4@x.uk', 'gov@gov.uk', '2026-01-01', NULL",
		"'hidden', 'g5@x.uk', 'user@gov.uk', '2026-01-01', NULL",
		"'accent', 'g6@x.uk', 'öwn@gov.uk', '2026-01-01', NULL",
		"'phonex', 'g7@x.uk', '+447700900125', '2026-01-01', NULL",
		"'nospon', 'g8@x.uk', NULL, '2026-01-01', NULL",
		"'emptyx', 'g9@x.uk', '', '2026-01-01', NULL",
		"'quoted', 'h1@x.uk', '\"a@b\"@gov.uk', '2026-01-01', NULL",
		"'longxx', 'h2@x.uk', '"+"a@"+strings.Repeat("d", 95)+".uk', '2026-01-01', NULL",
		"'dupown', 'twice@gov.uk', 'boss@x.uk', '2026-01-01', NULL",
		"'dupow2', 'Twice@gov.uk', 'own@gov.uk', '2026-01-01', NULL",
		"'kept02', 'h3@x.uk', 'twice@gov.uk', '2026-01-01', NULL",
		"'header', 'h4@x.uk', 'Jo Smith <jo@gov.uk>', '2026-01-01', NULL",
		"'header2', 'h5@x.uk', 'Me <own@gov.uk>', '2026-01-01', NULL",
		"'nocont', NULL, 'gone@gov.uk', '2026-01-01', NULL")
	if n, err := b.ObfuscateSponsors(t.Context()); n != 9 || err != nil {
		t.Errorf("%d obfuscated, %v", n, err)
	}
	want := strings.Join([]string{"accent\tuser@gov.uk\t1", "dupow2\town@gov.uk\t0", "dupown\tuser@x.uk\t1", "emptyx\t\t0",
		"gone01\tuser@gov.uk\t1", "gone02\tuser@Dept.gov.uk\t1", "govgov\tuser@gov.uk\t1", "header\tuser@gov.uk\t1", "header2\tMe <own@gov.uk>\t0", "HEALTH\tNULL\t0", "hidden\tuser@gov.uk\t0",
		"kept01\tOWN@gov.uk\t0", "kept02\ttwice@gov.uk\t0", "longxx\tuser@" + strings.Repeat("d", 95) + "\t1", "nocont\tuser@gov.uk\t1",
		"nospon\tNULL\t0", "phonex\t+447700900125\t0", "quoted\tuser@gov.uk\t1", "selfxx\tOwn@gov.uk\t0"}, "\n")
	read := "SELECT username, sponsor, updated_at > '2020-01-01' FROM userdetails ORDER BY username"
	if got := query(t, b.raw, read); got != want {
		t.Errorf("rows are\n%s\nwant\n%s", got, want)
	}
	exec(t, b.raw, "UPDATE userdetails SET updated_at = '2020-01-01'")
	if n, err := b.ObfuscateSponsors(t.Context()); n != 0 || err != nil {
		t.Errorf("again: %d, %v", n, err)
	}
	if got := query(t, b.raw, read); strings.Contains(got, "\t1") {
		t.Errorf("again: rows are\n%s", got)
	}
}

// Ruby's table has another charset than ours.
func TestMaintenanceOnRubysTables(t *testing.T) {
	t.Parallel()
	b := setup(t, rubyTables...)
	if n, err := b.ObfuscateSponsors(t.Context()); n != 2 || err != nil {
		t.Errorf("%d obfuscated, %v", n, err)
	}
	if n, err := b.PlanFollowups(t.Context(), date("2021-06-01 00:00:00")); n != 1 || err != nil {
		t.Errorf("%d planned, %v", n, err)
	}
	ids, err := b.PendingMessages(t.Context(), govwifi.Followup, "")
	if err != nil || len(ids) != 1 {
		t.Fatal(ids, err)
	}
	if a, err := b.Addressee(t.Context(), ids[0]); err != nil || a.User.Username != "rubyaa" {
		t.Errorf("%+v, %v", a, err)
	}
	if n, err := b.DeleteInactive(t.Context(), date("2021-06-01 00:00:00")); n != 2 || err != nil {
		t.Errorf("%d deleted, %v", n, err)
	}
	if got := usernames(t, b); got != "dupaaa HEALTH" {
		t.Errorf("left: %s", got)
	}
}

// A run that is killed leaves what it had not got to; the next one goes on.
func TestDeletionIsResumed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const all = 1000
	exec(t, b.raw, "INSERT INTO userdetails (username, contact, sponsor, created_at, last_login) SELECT CONCAT('u', seq), CONCAT(seq, '@x.uk'), CONCAT(seq, '@x.uk'), '2019-01-01', IF(seq % 2, '2020-01-01', NULL) FROM seq_1_to_1000")
	// Somebody holds one row, half-way: the run waits there until it is killed.
	tx, err := b.raw.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "UPDATE userdetails SET mobile = 'x' WHERE username = 'u500'"); err != nil {
		t.Fatal(err)
	}
	ctx, kill := context.WithCancel(t.Context())
	killed := make(chan int)
	go func() {
		n, _ := b.DeleteInactive(ctx, date("2025-11-22 00:00:00"))
		killed <- n
	}()
	await(t, b.raw, "info LIKE 'DELETE u FROM userdetails%' AND time_ms > 500 AND db = '"+b.at.Name+"'", true)
	// Sign-ups go on meanwhile.
	exec(t, b.sql, "SET SESSION innodb_lock_wait_timeout = 1")
	for i := range 20 {
		contact := govwifi.Contact(fmt.Sprintf("%d-new@x.uk", 50*i))
		if _, err := b.FindOrCreate(t.Context(), contact, contact); err != nil {
			t.Error(err)
		}
	}
	kill()
	first := <-killed
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	second, err := b.DeleteInactive(t.Context(), date("2025-11-22 00:00:00"))
	// The server may still finish the batch whose answer nobody waited for.
	if err != nil || first == 0 || second == 0 || first+second > all || first+second < all-maxBatch {
		t.Errorf("%d, then %d deleted, %v", first, second, err)
	}
	if got := query(t, b.raw, "SELECT COUNT(*), SUM(contact LIKE '%new@x.uk') FROM userdetails"); got != "20\t20" {
		t.Errorf("left: %s", got)
	}
}

// Who logs in between the search and the deletion is left alone.
func TestDeletionChecksAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	insert(t, b, "'backxx', 'a@x.uk', 'boss@x.uk', '2019-01-01', '2026-02-01'", "'gonexx', 'b@x.uk', 'boss@x.uk', '2019-01-01', NULL")
	found := "SELECT username FROM userdetails WHERE created_at < ? AND created_at < ?"
	n, err := b.forget(t.Context(), found, deleteStill, date("2025-11-22 00:00:00"))
	if got := usernames(t, b); n != 1 || err != nil || got != "backxx" {
		t.Errorf("%d deleted, %v, left: %s", n, err, got)
	}
}
