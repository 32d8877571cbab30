package govwifi

import (
	"fmt"
	"time"
)

// The definitions below are those of the retired Performance Platform, kept exactly,
// oddities included (docs/rules.md, Statistics): a "week" has 8 days and ends a week
// ago, a "month" includes the day that it begins on.

// Period is how long a time statistics are about.
type Period string

// The periods.
const (
	Day   Period = "day"
	Week  Period = "week"
	Month Period = "month"
)

// Span is a time from From, included, to To, not included, in UTC. Whole days as a
// half-open span can be looked up in an index; DATE(created_at) cannot.
type Span struct{ From, To time.Time }

// Before is the span that a period's statistics of the given day cover. The day itself
// is never in it. It fails for an unknown period.
//
//	day     D−1
//	week    D−14 … D−7
//	month   one calendar month before D−1 (clamped) … D−1
func (p Period) Before(day time.Time) (Span, error) {
	switch p {
	case Day:
		return Span{DaysBefore(day, 1), day}, nil
	case Week:
		return Span{DaysBefore(day, 14), DaysBefore(day, 6)}, nil
	case Month:
		return Span{MonthsBefore(DaysBefore(day, 1), 1), day}, nil
	}
	return Span{}, fmt.Errorf("the period %q is none of day, week and month", string(p))
}

// The names of the two metrics.
const (
	VolumetricsMetric    = "volumetrics"
	CompletionRateMetric = "completion-rate"
)

// Volumetrics counts sign-ups. Its JSON is what is published, the order of its fields
// included. SMS and Email count self-signups only, by what their contact looks like;
// Sponsored counts those whose contact is not their sponsor. A user without a sponsor
// is in none of them, but in the totals.
type Volumetrics struct {
	Period     Period `json:"period"`
	MetricName string `json:"metric_name"`
	// PeriodBefore is all sign-ups of the period, Cumulative all up to the day before
	// the statistics' day; likewise in the pairs below.
	PeriodBefore          int `json:"period_before"`
	Cumulative            int `json:"cumulative"`
	SMSPeriodBefore       int `json:"sms_period_before"`
	SMSCumulative         int `json:"sms_cumulative"`
	EmailPeriodBefore     int `json:"email_period_before"`
	EmailCumulative       int `json:"email_cumulative"`
	SponsoredPeriodBefore int `json:"sponsored_period_before"`
	SponsoredCumulative   int `json:"sponsored_cumulative"`
}

// CompletionRate counts who of those that signed up in a period has logged in since.
// The groups are those of Volumetrics.
type CompletionRate struct {
	Period            Period `json:"period"`
	MetricName        string `json:"metric_name"`
	SMSRegistered     int    `json:"sms_registered"`
	SMSLoggedIn       int    `json:"sms_logged_in"`
	EmailRegistered   int    `json:"email_registered"`
	EmailLoggedIn     int    `json:"email_logged_in"`
	SponsorRegistered int    `json:"sponsor_registered"`
	SponsorLoggedIn   int    `json:"sponsor_logged_in"`
}
