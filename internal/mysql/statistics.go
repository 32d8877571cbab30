package mysql

import (
	"context"
	"fmt"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// The groups of docs/rules.md, Statistics. They compare as the database does, which is
// how they were always counted. A NULL contact or sponsor makes each of them NULL, which
// counts in none.
const (
	isSMS       = "contact LIKE '+%' AND contact = sponsor"
	isEmail     = "contact = sponsor AND contact LIKE '%@%'"
	isSponsored = "contact <> sponsor"
	inSpan      = "created_at >= ? AND created_at < ?"
	loggedIn    = "last_login IS NOT NULL"
)

// count counts the rows of a larger query that fit a condition. Unlike a SUM it is 0 and
// not NULL where there is no row.
func count(condition string) string { return "COUNT(CASE WHEN " + condition + " THEN 1 END)" }

// Each query is one pass over a range of the index on created_at. The reads are
// consistent: they lock nothing. What is asked of all rows and what of a period are two
// ranges: to ask each row of the table for its time once more, for each number, doubled
// the time that the pass took.
var (
	groupsQuery         = "SELECT COUNT(*), " + count(isSMS) + ", " + count(isEmail) + ", " + count(isSponsored) + " FROM userdetails WHERE "
	groupsBeforeQuery   = groupsQuery + "created_at < ?"
	groupsInSpanQuery   = groupsQuery + inSpan
	completionRateQuery = "SELECT " + count(isSMS) + ", " + count(isSMS+" AND "+loggedIn) +
		", " + count(isEmail) + ", " + count(isEmail+" AND "+loggedIn) +
		", " + count(isSponsored) + ", " + count(isSponsored+" AND "+loggedIn) +
		" FROM userdetails WHERE " + inSpan
)

// Volumetrics counts the sign-ups of the period before the day, and all before it.
func (d *DB) Volumetrics(ctx context.Context, p govwifi.Period, day time.Time) (govwifi.Volumetrics, error) {
	span, err := p.Before(day)
	if err != nil {
		return govwifi.Volumetrics{}, err
	}
	v := govwifi.Volumetrics{Period: p, MetricName: govwifi.VolumetricsMetric}
	err = d.row(ctx, groupsBeforeQuery, []any{day}, &v.Cumulative, &v.SMSCumulative, &v.EmailCumulative, &v.SponsoredCumulative)
	if err != nil {
		return govwifi.Volumetrics{}, fmt.Errorf("count all sign-ups: %w", err)
	}
	err = d.row(ctx, groupsInSpanQuery, []any{span.From, span.To}, &v.PeriodBefore, &v.SMSPeriodBefore, &v.EmailPeriodBefore, &v.SponsoredPeriodBefore)
	if err != nil {
		return govwifi.Volumetrics{}, fmt.Errorf("count the sign-ups of a %s: %w", p, err)
	}
	return v, nil
}

// CompletionRate counts who of the period's sign-ups has logged in since.
func (d *DB) CompletionRate(ctx context.Context, p govwifi.Period, day time.Time) (govwifi.CompletionRate, error) {
	span, err := p.Before(day)
	if err != nil {
		return govwifi.CompletionRate{}, err
	}
	c := govwifi.CompletionRate{Period: p, MetricName: govwifi.CompletionRateMetric}
	err = d.row(ctx, completionRateQuery, []any{span.From, span.To},
		&c.SMSRegistered, &c.SMSLoggedIn, &c.EmailRegistered, &c.EmailLoggedIn, &c.SponsorRegistered, &c.SponsorLoggedIn)
	if err != nil {
		return govwifi.CompletionRate{}, fmt.Errorf("read the completion rate: %w", err)
	}
	return c, nil
}

// row reads one row into the targets, sql.ErrNoRows if there is none.
func (d *DB) row(ctx context.Context, query string, args []any, targets ...any) error {
	_, err := retry(ctx, func() (struct{}, error) {
		return struct{}{}, d.sql.QueryRowContext(ctx, query, args...).Scan(targets...)
	})
	return err
}
