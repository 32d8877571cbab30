package mysql

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/govwifi/user-signup/internal/govwifi"
)

const (
	isSponsored = "contact <> sponsor"
	inSpan      = "created_at >= ? AND created_at < ?"
)

// groupOfUser is the group of docs/rules.md, Statistics: by text, by mail, or through a
// sponsor. It compares as the database does, which is how they were always counted: an
// address that begins with a plus counts as both of the first, a NULL as none.
//
// A user is one number, and a SUM of them is three counts written side by side, nine
// digits each: whether contact and sponsor are the same is dear to ask, and a COUNT for
// each group asks it three times (docs/decisions/0018-cores.md). The points and the CAST
// of the sum keep it exact in the sandbox's database, where it would be a float. An @ has
// no other case or width, so it is looked for among bytes, which is quicker; by INSTR, since
// the sandbox's LOCATE refuses bytes.
const groupOfUser = "CASE WHEN " + isSponsored + " THEN 1000000000000000000.0" +
	" WHEN sponsor IS NULL THEN 0.0" +
	" WHEN INSTR(CAST(contact AS BINARY), '@') THEN IF(contact LIKE '+%', 1000000001.0, 1000000000.0)" +
	" WHEN contact LIKE '+%' THEN 1.0 END"

// Each query is one statement, and so sees the table at one moment; it locks nothing. To
// ask each row for its time takes half as long again as to read it, so all sign-ups
// before a day are all that there are without those that came later, of whom there are few.
var (
	allQuery = "SELECT everyone.n - later.n, everyone.grouped - later.grouped FROM" +
		" (SELECT COUNT(*) n, " + grouped(groupOfUser) + " grouped FROM userdetails) everyone," +
		" (SELECT COUNT(*) n, " + grouped(groupOfUser) + " grouped FROM userdetails WHERE created_at >= ? OR created_at IS NULL) later"
	periodQuery = "SELECT COUNT(*), " + grouped(groupOfUser) + ", " + grouped("CASE WHEN last_login IS NOT NULL THEN "+groupOfUser+" END") +
		" FROM userdetails WHERE " + inSpan
)

// grouped adds up what users are, 0 where there is none.
func grouped(user string) string { return "COALESCE(CAST(SUM(" + user + ") AS DECIMAL(27)), 0)" }

// groups are the counts that a query wrote side by side.
type groups struct{ sms, email, sponsored int }

// Scan reads them out of the digits. It fails rather than guess: a server that made a float
// of them has lost some.
func (g *groups) Scan(value any) error {
	text, _ := value.([]byte)
	digits := fmt.Sprintf("%027s", bytes.TrimSuffix(text, []byte(".0"))) // the sandbox's keeps the point
	if len(text) == 0 || len(digits) != 27 {
		return fmt.Errorf("the server's sum %q is not three counts of nine digits", text)
	}
	var wrong [3]error
	for i, count := range []*int{&g.sponsored, &g.email, &g.sms} {
		*count, wrong[i] = strconv.Atoi(digits[i*9 : i*9+9])
	}
	return errors.Join(wrong[:]...)
}

// Statistics counts the sign-ups of the period before the day, who of them has logged in
// since, and all sign-ups before the day.
func (d *DB) Statistics(ctx context.Context, p govwifi.Period, day time.Time) (govwifi.Volumetrics, govwifi.CompletionRate, error) {
	v := govwifi.Volumetrics{Period: p, MetricName: govwifi.VolumetricsMetric}
	c := govwifi.CompletionRate{Period: p, MetricName: govwifi.CompletionRateMetric}
	span, err := p.Before(day)
	if err != nil {
		return v, c, err
	}
	var all, registered, active groups
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error {
		if err := d.row(ctx, allQuery, []any{day}, &v.Cumulative, &all); err != nil {
			return fmt.Errorf("count all sign-ups: %w", err)
		}
		return nil
	})
	both.Go(func() error {
		if err := d.row(ctx, periodQuery, []any{span.From, span.To}, &v.PeriodBefore, &registered, &active); err != nil {
			return fmt.Errorf("count the sign-ups of a %s: %w", p, err)
		}
		return nil
	})
	if err := both.Wait(); err != nil {
		return v, c, err
	}
	v.SMSCumulative, v.EmailCumulative, v.SponsoredCumulative = all.sms, all.email, all.sponsored
	v.SMSPeriodBefore, v.EmailPeriodBefore, v.SponsoredPeriodBefore = registered.sms, registered.email, registered.sponsored
	c.SMSRegistered, c.EmailRegistered, c.SponsorRegistered = registered.sms, registered.email, registered.sponsored
	c.SMSLoggedIn, c.EmailLoggedIn, c.SponsorLoggedIn = active.sms, active.email, active.sponsored
	return v, c, nil
}

// row reads one row into the targets, sql.ErrNoRows if there is none.
func (d *DB) row(ctx context.Context, query string, args []any, targets ...any) error {
	_, err := retry(ctx, func() (struct{}, error) {
		return struct{}{}, d.sql.QueryRowContext(ctx, query, args...).Scan(targets...)
	})
	return err
}
