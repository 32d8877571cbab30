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
// the time that the pass took (docs/decisions/0018-cores.md).
var (
	allQuery    = "SELECT COUNT(*), " + count(isSMS) + ", " + count(isEmail) + ", " + count(isSponsored) + " FROM userdetails WHERE created_at < ?"
	periodQuery = "SELECT COUNT(*), " + count(isSMS) + ", " + count(isSMS+" AND "+loggedIn) +
		", " + count(isEmail) + ", " + count(isEmail+" AND "+loggedIn) +
		", " + count(isSponsored) + ", " + count(isSponsored+" AND "+loggedIn) +
		" FROM userdetails WHERE " + inSpan
)

// Statistics counts the sign-ups of the period before the day, who of them has logged in
// since, and all sign-ups before the day.
func (d *DB) Statistics(ctx context.Context, p govwifi.Period, day time.Time) (govwifi.Volumetrics, govwifi.CompletionRate, error) {
	v := govwifi.Volumetrics{Period: p, MetricName: govwifi.VolumetricsMetric}
	c := govwifi.CompletionRate{Period: p, MetricName: govwifi.CompletionRateMetric}
	span, err := p.Before(day)
	if err != nil {
		return v, c, err
	}
	err = d.row(ctx, allQuery, []any{day}, &v.Cumulative, &v.SMSCumulative, &v.EmailCumulative, &v.SponsoredCumulative)
	if err != nil {
		return v, c, fmt.Errorf("count all sign-ups: %w", err)
	}
	err = d.row(ctx, periodQuery, []any{span.From, span.To},
		&v.PeriodBefore, &c.SMSRegistered, &c.SMSLoggedIn, &c.EmailRegistered, &c.EmailLoggedIn, &c.SponsorRegistered, &c.SponsorLoggedIn)
	if err != nil {
		return v, c, fmt.Errorf("count the sign-ups of a %s: %w", p, err)
	}
	v.SMSPeriodBefore, v.EmailPeriodBefore, v.SponsoredPeriodBefore = c.SMSRegistered, c.EmailRegistered, c.SponsorRegistered
	return v, c, nil
}

// row reads one row into the targets, sql.ErrNoRows if there is none.
func (d *DB) row(ctx context.Context, query string, args []any, targets ...any) error {
	_, err := retry(ctx, func() (struct{}, error) {
		return struct{}{}, d.sql.QueryRowContext(ctx, query, args...).Scan(targets...)
	})
	return err
}
