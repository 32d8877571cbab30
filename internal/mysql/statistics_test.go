package mysql

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// signups puts users of each kind at a time: 3 by text, of whom 2 have logged in; as many
// by mail, one of them both at once; and 2 through a sponsor, of whom 1 has.
func signups(t *testing.T, b bundle, prefix, created string) {
	t.Helper()
	row := func(n int, contact, sponsor, login string) string {
		return fmt.Sprintf("'%s%d', %s, %s, '%s', %s", prefix, n, contact, sponsor, created, login)
	}
	insert(t, b,
		row(0, "'+447700900123'", "'+447700900123'", "'2030-01-01'"), row(1, "'+447700900124'", "'+447700900124'", "NULL"),
		row(2, "'a@x.uk'", "'A@x.uk'", "'2030-01-01'"), row(3, "'b@x.uk'", "'b@x.uk'", "NULL"),
		row(4, "'c@x.uk'", "'boss@x.uk'", "'2030-01-01'"), row(5, "'+447700900125'", "'boss@x.uk'", "NULL"),
		row(6, "'d@x.uk'", "NULL", "'2030-01-01'"), row(7, "NULL", "NULL", "NULL"),
		row(8, "'+e@x.uk'", "'+E@x.uk'", "'2030-01-01'"), row(9, "'+447700900126'", "NULL", "NULL"))
}

// TestStatistics puts one lot of users on either side of each boundary.
func TestStatistics(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		period  govwifi.Period
		in, out []string
	}{
		{govwifi.Day, []string{"2020-09-23 00:00:00", "2020-09-23 23:59:59"}, []string{"2020-09-22 23:59:59"}},
		{govwifi.Week, []string{"2020-09-10 00:00:00", "2020-09-17 23:59:59"}, []string{"2020-09-09 23:59:59", "2020-09-18 00:00:00"}},
		{govwifi.Month, []string{"2020-08-23 00:00:00", "2020-09-23 23:59:59"}, []string{"2020-08-22 23:59:59"}},
	} {
		t.Run(string(tt.period), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			in, all := len(tt.in), len(tt.in)+len(tt.out)
			for i, created := range append(append([]string{}, tt.in...), tt.out...) {
				signups(t, b, fmt.Sprintf("u%d-", i), created)
			}
			// The day itself and what comes after counts in nothing.
			signups(t, b, "d-", "2020-09-24 00:00:00")
			signups(t, b, "z-", "2020-10-11 12:00:00")
			// Nobody knows when this one came.
			exec(t, b.raw, "INSERT INTO userdetails (username, contact, sponsor, created_at) VALUES ('n', 'n@x.uk', 'n@x.uk', NULL)")
			v, c, err := b.Statistics(t.Context(), tt.period, date("2020-09-24 00:00:00"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(govwifi.Volumetrics{Period: tt.period, MetricName: "volumetrics", PeriodBefore: 10 * in, Cumulative: 10 * all,
				SMSPeriodBefore: 3 * in, SMSCumulative: 3 * all, EmailPeriodBefore: 3 * in, EmailCumulative: 3 * all,
				SponsoredPeriodBefore: 2 * in, SponsoredCumulative: 2 * all}, v); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(govwifi.CompletionRate{Period: tt.period, MetricName: "completion-rate", SMSRegistered: 3 * in, SMSLoggedIn: 2 * in,
				EmailRegistered: 3 * in, EmailLoggedIn: 2 * in, SponsorRegistered: 2 * in, SponsorLoggedIn: in}, c); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestStatisticsOfNobody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v, c, err := b.Statistics(t.Context(), govwifi.Day, now)
	if want := (govwifi.Volumetrics{Period: govwifi.Day, MetricName: "volumetrics"}); v != want || err != nil {
		t.Errorf("%+v, %v", v, err)
	}
	if want := (govwifi.CompletionRate{Period: govwifi.Day, MetricName: "completion-rate"}); c != want || err != nil {
		t.Errorf("%+v, %v", c, err)
	}
	if _, _, err := b.Statistics(t.Context(), "year", now); err == nil {
		t.Error("a year is counted")
	}
}

// Counts that are no longer whole are an error, not a figure.
func TestGroupsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, value := range []any{[]byte("3.00000000466667e23"), []byte("-1"), []byte("1.5"), []byte("1300000000466667000233333000"), []byte(""), 3e23, nil} {
		if g := (groups{}); g.Scan(value) == nil {
			t.Errorf("%v is %+v", value, g)
		}
	}
}
