package govwifi_test

import (
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

func day(t *testing.T, text string) time.Time {
	t.Helper()
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// What MySQL's DATE_SUB(day, INTERVAL n MONTH) answers.
func TestMonthsBefore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		day    string
		months int
		want   string
	}{
		{"2026-11-22", 12, "2025-11-22"},
		{"2026-11-22", 11, "2025-12-22"},
		{"2026-01-15", 1, "2025-12-15"},
		{"2024-02-29", 12, "2023-02-28"},
		{"2025-02-28", 12, "2024-02-28"},
		{"2024-03-31", 1, "2024-02-29"},
		{"2026-03-31", 1, "2026-02-28"},
		{"2026-12-31", 1, "2026-11-30"},
		{"2026-01-30", 11, "2025-02-28"},
		{"2026-10-01", 11, "2025-11-01"},
		{"2028-02-29", 48, "2024-02-29"},
		{"2026-11-22", 30, "2024-05-22"},
	} {
		if got := govwifi.MonthsBefore(day(t, c.day), c.months).Format(time.DateTime); got != c.want+" 00:00:00" {
			t.Errorf("%d months before %s is %s, want %s", c.months, c.day, got, c.want)
		}
	}
}

// The clocks of London change on these days; UTC's do not.
func TestDaysAreDaysAcrossSummerTime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ day, want string }{{"2026-03-30", "2026-03-29"}, {"2026-10-26", "2026-10-25"}} {
		before := govwifi.DaysBefore(day(t, c.day), 1)
		if !before.Equal(day(t, c.want)) || day(t, c.day).Sub(before) != 24*time.Hour {
			t.Errorf("the day before %s is %s", c.day, before)
		}
	}
}

// docs/rules.md, Statistics; the week is the one of facts.md's worked example.
func TestPeriodBefore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		period           govwifi.Period
		day, first, last string
	}{
		{govwifi.Day, "2020-09-24", "2020-09-23", "2020-09-23"},
		{govwifi.Day, "2024-03-01", "2024-02-29", "2024-02-29"},
		{govwifi.Week, "2020-09-24", "2020-09-10", "2020-09-17"},
		{govwifi.Week, "2026-03-05", "2026-02-19", "2026-02-26"},
		{govwifi.Month, "2020-09-24", "2020-08-23", "2020-09-23"},
		{govwifi.Month, "2020-04-01", "2020-02-29", "2020-03-31"},
		{govwifi.Month, "2026-01-01", "2025-11-30", "2025-12-31"},
	} {
		span, err := c.period.Before(day(t, c.day))
		if err != nil || !span.From.Equal(day(t, c.first)) || !span.To.Equal(day(t, c.last).AddDate(0, 0, 1)) {
			t.Errorf("%s before %s: %v, %v; want %s … %s", c.period, c.day, span, err, c.first, c.last)
		}
	}
	if span, err := govwifi.Period("year").Before(day(t, "2020-09-24")); err == nil {
		t.Errorf("a year is %v", span)
	}
}
