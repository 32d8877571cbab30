package mysql

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/govwifi/user-signup/internal/govwifi"
)

func planned(t *testing.T, b bundle) string {
	t.Helper()
	return query(t, b.raw, "SELECT username, CAST(occasion AS char) FROM user_signup_messages ORDER BY username, occasion")
}

// clock makes the adapter's clock movable.
func clock(b bundle) *time.Time {
	at := now
	b.now = func() time.Time { return at }
	return &at
}

func TestPlanExpiryWarnings(t *testing.T) {
	t.Parallel()
	b := setup(t)
	span := govwifi.Span{From: date("2025-12-15 00:00:00"), To: date("2025-12-23 00:00:00")}
	insert(t, b,
		"'HEALTH', 'h@x.uk', 'h@x.uk', '2025-12-22', NULL",
		"'first1', 'a@x.uk', 'a@x.uk', '2025-12-15 00:00:00', NULL",
		"'early1', 'b@x.uk', 'b@x.uk', '2025-12-14 23:59:59', NULL",
		"'last01', 'c@x.uk', 'c@x.uk', '2025-12-22 23:59:59', NULL",
		"'late01', 'd@x.uk', 'd@x.uk', '2025-12-23 00:00:00', NULL",
		"'login1', 'e@x.uk', 'e@x.uk', '2019-01-01', '2025-12-22'",
		"'active', 'f@x.uk', 'f@x.uk', '2025-12-22', '2026-01-01'",
		"'phone1', '+447700900123', '+447700900123', '2025-12-22', NULL",
		"'plus01', '+p@x.uk', '+p@x.uk', '2025-12-22', NULL",
		"'optout', 'g@x.uk', 'g@x.uk', '2025-12-22', NULL",
		"'nocont', NULL, NULL, '2025-12-22', NULL")
	exec(t, b.raw, "UPDATE userdetails SET notifications_opt_out = 1 WHERE username = 'optout'")
	want := "first1\t2025-12-15 00:00:00\nlast01\t2025-12-22 23:59:59\nlogin1\t2025-12-22 00:00:00\nplus01\t2025-12-22 00:00:00"
	for _, n := range []int{4, 0} {
		if got, err := b.PlanExpiryWarnings(t.Context(), span); got != n || err != nil {
			t.Errorf("%d planned, %v, want %d", got, err, n)
		}
		if got := planned(t, b); got != want {
			t.Errorf("planned\n%s\nwant\n%s", got, want)
		}
	}
	// Back for a while and inactive again: that is another occasion.
	exec(t, b.raw, "UPDATE userdetails SET last_login = '2026-08-01' WHERE username = 'login1'")
	next := govwifi.Span{From: date("2026-07-25 00:00:00"), To: date("2026-08-02 00:00:00")}
	if n, err := b.PlanExpiryWarnings(t.Context(), next); n != 1 || err != nil {
		t.Errorf("%d planned, %v", n, err)
	}
}

func TestPlanSurveys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	insert(t, b,
		"'HEALTH', 'h@x.uk', 'h@x.uk', '2026-02-02', '2026-02-02'",
		"'first1', 'a@x.uk', 'A@x.uk', '2026-02-02 00:00:00', '2026-02-02'",
		"'last01', '+447700900123', '+447700900123', '2026-02-02 23:59:59', '2026-02-02'",
		"'early1', 'b@x.uk', 'b@x.uk', '2026-02-01 23:59:59', '2026-02-02'",
		"'late01', 'c@x.uk', 'c@x.uk', '2026-02-03 00:00:00', '2026-02-03'",
		"'never1', 'd@x.uk', 'd@x.uk', '2026-02-02', NULL",
		"'guest1', 'e@x.uk', 'boss@x.uk', '2026-02-02', '2026-02-02'",
		"'nospon', 'f@x.uk', NULL, '2026-02-02', '2026-02-02'",
		"'asked1', 'g@x.uk', 'g@x.uk', '2026-02-02', '2026-02-02'",
		"'optout', 'i@x.uk', 'i@x.uk', '2026-02-02', '2026-02-02'",
		"'noinfo', 'j@x.uk', 'j@x.uk', '2026-02-02', '2026-02-02'")
	exec(t, b.raw, "UPDATE userdetails SET signup_survey_sent_at = '2026-01-01' WHERE username = 'asked1'",
		"UPDATE userdetails SET survey_opt_out = 1 WHERE username = 'optout'",
		"UPDATE userdetails SET notifications_opt_out = 1 WHERE username = 'noinfo'")
	span := govwifi.Span{From: date("2026-02-02 00:00:00"), To: date("2026-02-03 00:00:00")}
	for _, n := range []int{3, 0} {
		if got, err := b.PlanSurveys(t.Context(), span); got != n || err != nil {
			t.Errorf("%d planned, %v, want %d", got, err, n)
		}
	}
	if got, want := planned(t, b), "first1\t2026-02-02 00:00:00\nlast01\t2026-02-02 23:59:59\nnoinfo\t2026-02-02 00:00:00"; got != want {
		t.Errorf("planned\n%s\nwant\n%s", got, want)
	}
	marked := query(t, b.raw, "SELECT username, CAST(signup_survey_sent_at AS char) FROM userdetails WHERE signup_survey_sent_at IS NOT NULL ORDER BY username")
	if want := "asked1\t2026-01-01 00:00:00\nfirst1\t2026-02-03 04:05:06\nlast01\t2026-02-03 04:05:06\nnoinfo\t2026-02-03 04:05:06"; marked != want {
		t.Errorf("marked\n%s\nwant\n%s", marked, want)
	}
}

func TestPlanFollowups(t *testing.T) {
	t.Parallel()
	b := setup(t)
	insert(t, b,
		"'HEALTH', 'h@x.uk', 'h@x.uk', '2026-01-01', NULL",
		"'old001', 'a@x.uk', 'a@x.uk', '2026-01-31 23:59:59', NULL",
		"'new001', 'b@x.uk', 'b@x.uk', '2026-02-01 00:00:00', NULL",
		"'phone1', '+447700900123', '+447700900123', '2026-01-01', NULL",
		"'plus01', '+p@x.uk', '+p@x.uk', '2026-01-31', NULL",
		"'optout', 'c@x.uk', 'c@x.uk', '2026-01-01', NULL",
		"'login1', 'd@x.uk', 'd@x.uk', '2026-01-01', '2026-01-02'",
		"'guest1', 'e@x.uk', 'boss@x.uk', '2026-01-01', NULL",
		"'done01', 'f@x.uk', 'f@x.uk', '2026-01-01', NULL")
	exec(t, b.raw, "UPDATE userdetails SET followup_sent_at = '2026-01-05' WHERE username = 'done01'",
		"UPDATE userdetails SET notifications_opt_out = 1 WHERE username = 'optout'")
	for _, n := range []int{2, 0} {
		if got, err := b.PlanFollowups(t.Context(), date("2026-02-01 00:00:00")); got != n || err != nil {
			t.Errorf("%d planned, %v, want %d", got, err, n)
		}
	}
	if got := planned(t, b); got != "old001\t2026-01-31 23:59:59\nplus01\t2026-01-31 00:00:00" {
		t.Errorf("planned %s", got)
	}
	marked := query(t, b.raw, "SELECT username FROM userdetails WHERE followup_sent_at = '2026-02-03 04:05:06' ORDER BY username")
	if marked != "old001\noptout\nphone1\nplus01" {
		t.Errorf("marked\n%s", marked)
	}
}

// Old rows may hold one contact twice: the person is asked once, in one run or in two, on
// one page or on two. Accents tell people apart.
func TestPlansOnceForAContact(t *testing.T) {
	t.Parallel()
	b := setup(t)
	exec(t, b.raw, fmt.Sprintf("INSERT INTO userdetails (username, contact, sponsor, created_at) SELECT CONCAT('u', seq), CONCAT(seq, '@x.uk'), CONCAT(seq, '@x.uk'), '2026-01-01' FROM seq_1_to_%d", audiencePage))
	insert(t, b,
		"'aaaaaa', 'john@x.uk', 'john@x.uk', '2026-01-01', NULL",
		"'aaaaab', 'John@x.uk', 'john@x.uk', '2026-01-02', NULL",
		"'aaaaac', 'jöhn@x.uk', 'jöhn@x.uk', '2026-01-02', NULL",
		"'zzzzzz', 'john@x.uk', 'john@x.uk', '2026-01-03', NULL",
		"'optout', 'no@x.uk', 'no@x.uk', '2026-01-03', NULL",
		"'optwas', 'no@x.uk', 'no@x.uk', '2026-01-03', NULL",
		"'zzzzzy', 'john@x.uk', 'john@x.uk', '2026-02-02', NULL")
	exec(t, b.raw, "UPDATE userdetails SET notifications_opt_out = 1 WHERE username = 'optout'")
	for _, c := range []struct {
		created string
		planned int
	}{{"2026-02-01 00:00:00", audiencePage + 2}, {"2026-02-03 00:00:00", 0}} {
		if got, err := b.PlanFollowups(t.Context(), date(c.created)); got != c.planned || err != nil {
			t.Errorf("%d planned, %v, want %d", got, err, c.planned)
		}
	}
	if got := query(t, b.raw, "SELECT COUNT(*) FROM userdetails WHERE followup_sent_at IS NULL"); got != "0" {
		t.Errorf("%s are not marked", got)
	}
}

// More people than fit on a page, of whom a killed run planned some and marked none.
func TestPlanGoesOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const all = 2*audiencePage + pendingPage + 1
	exec(t, b.raw, fmt.Sprintf("INSERT INTO userdetails (username, contact, sponsor, created_at) SELECT CONCAT('u', seq), CONCAT(seq, '@x.uk'), CONCAT(seq, '@x.uk'), '2026-01-01' FROM seq_1_to_%d", all))
	page := []person{{"u7", date("2026-01-01 00:00:00"), true}, {"u8", date("2026-01-01 00:00:00"), true}}
	if n, err := b.insertPlans(t.Context(), govwifi.Followup, page); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	before := query(t, b.raw, "SELECT id FROM user_signup_messages ORDER BY id")
	if n, err := b.PlanFollowups(t.Context(), date("2026-02-01 00:00:00")); n != all-2 || err != nil {
		t.Errorf("%d planned, %v", n, err)
	}
	if got := query(t, b.raw, "SELECT id FROM user_signup_messages WHERE username IN ('u7', 'u8') ORDER BY id"); got != before {
		t.Errorf("the ids are %s, were %s", got, before)
	}
	if got := query(t, b.raw, "SELECT COUNT(*) FROM userdetails WHERE followup_sent_at IS NULL"); got != "0" {
		t.Errorf("%s are not marked", got)
	}
	seen := map[string]bool{}
	for after := ""; ; {
		ids, err := b.PendingMessages(t.Context(), govwifi.Followup, after)
		if err != nil {
			t.Fatal(err)
		}
		if len(ids) == 0 {
			break
		}
		for _, id := range ids {
			seen[id] = true
		}
		after = ids[len(ids)-1]
	}
	if len(seen) != all {
		t.Errorf("%d of %d messages are pending", len(seen), all)
	}
	if other, err := b.PendingMessages(t.Context(), govwifi.ExpiryWarning, ""); len(other) != 0 || err != nil {
		t.Errorf("another purpose has %d pending, %v", len(other), err)
	}
}

// A row that does not say when it was made, as the table allows, is a person all the same.
func TestAddresseeOfUnknownAge(t *testing.T) {
	t.Parallel()
	b := setup(t)
	insert(t, b, "'bcdfgh', 'a@x.uk', 'a@x.uk', NULL, '2025-12-22'")
	if _, err := b.PlanExpiryWarnings(t.Context(), govwifi.Span{From: date("2025-12-15 00:00:00"), To: date("2025-12-23 00:00:00")}); err != nil {
		t.Fatal(err)
	}
	ids, err := b.PendingMessages(t.Context(), govwifi.ExpiryWarning, "")
	if err != nil || len(ids) != 1 {
		t.Fatal(ids, err)
	}
	want := govwifi.Addressee{Occasion: date("2025-12-22 00:00:00"),
		User: govwifi.User{Username: "bcdfgh", Contact: "a@x.uk", LastLogin: date("2025-12-22 00:00:00")}}
	a, err := b.Addressee(t.Context(), ids[0])
	if diff := cmp.Diff(want, a); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestAddressee(t *testing.T) {
	t.Parallel()
	b := setup(t)
	at := clock(b)
	insert(t, b, "'bcdfgh', 'a@x.uk', 'a@x.uk', '2026-01-01 01:02:03', NULL")
	if _, err := b.PlanFollowups(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	ids, err := b.PendingMessages(t.Context(), govwifi.Followup, "")
	if err != nil || len(ids) != 1 {
		t.Fatal(ids, err)
	}
	id := ids[0]
	exec(t, b.raw, "UPDATE userdetails SET survey_opt_out = 1, last_login = '2026-02-03'")
	want := govwifi.Addressee{SurveyOptOut: true, Occasion: date("2026-01-01 01:02:03"),
		User: govwifi.User{Username: "bcdfgh", Contact: "a@x.uk", CreatedAt: date("2026-01-01 01:02:03"), LastLogin: date("2026-02-03 00:00:00")}}
	*at = now.Add(planLife)
	a, err := b.Addressee(t.Context(), id)
	if diff := cmp.Diff(want, a); diff != "" || err != nil {
		t.Error(diff, err)
	}
	gone := func(why string) {
		t.Helper()
		if a, err := b.Addressee(t.Context(), id); !errors.Is(err, govwifi.ErrNotFound) {
			t.Errorf("%s: %+v, %v", why, a, err)
		}
	}
	*at = now.Add(planLife + time.Second)
	gone("too old")
	if ids, err := b.PendingMessages(t.Context(), govwifi.Followup, ""); len(ids) != 0 || err != nil {
		t.Errorf("too old: %v, %v", ids, err)
	}
	*at = now
	exec(t, b.raw, "DELETE FROM userdetails")
	gone("no row")
	insert(t, b, "'bcdfgh', 'a@x.uk', 'a@x.uk', '2026-01-01 01:02:03', NULL")
	if err := b.MarkSent(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	gone("sent")
	if ids, err := b.PendingMessages(t.Context(), govwifi.Followup, ""); len(ids) != 0 || err != nil {
		t.Errorf("sent: %v, %v", ids, err)
	}
	// Who was written to is forgotten in the end.
	*at = now.Add(planMemory + time.Second)
	if _, err := b.PlanSurveys(t.Context(), govwifi.Span{From: now, To: now}); err != nil {
		t.Fatal(err)
	}
	if got := planned(t, b); got != "" {
		t.Errorf("remembered: %s", got)
	}
}

// No statement may go through the whole shared table while it locks, be it so small that
// the server would rather do so.
func TestChangesGoByPrimaryKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, some := range []int{1, 5, maxBatch} {
		exec(t, b.raw, "INSERT IGNORE INTO userdetails (username, created_at, last_login) SELECT CONCAT('u', seq), '2020-01-01', '2020-01-01' FROM seq_1_to_600")
		var names []string
		for i := range some {
			names = append(names, fmt.Sprintf("'u%d'", i+1))
		}
		in := strings.Join(names, ",")
		for _, statement := range []string{
			fmt.Sprintf(markStatement, "followup_sent_at", in), fmt.Sprintf(obfuscate, in), fmt.Sprintf(deleteStill, in),
		} {
			plan := query(t, b.raw, "EXPLAIN "+strings.ReplaceAll(statement, "?", "'2026-01-01'"))
			if !strings.Contains(plan, "\tPRIMARY\t") || strings.Contains(plan, "\tindex\t") {
				t.Errorf("%d rows by %.40s are found by %s", some, statement, plan)
			}
		}
	}
}
