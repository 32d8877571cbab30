package mysql

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Forgetting works in two halves. First all rows in question are found by consistent
// reads, which lock nothing: a list of usernames, 40 MB for a million of them. Then they
// are changed by primary key, few at a time, each statement a transaction of its own
// that checks its rows again: who logged in meanwhile is left alone. So no statement
// locks a range, into which a sign-up might want to insert, and none locks its rows for
// long; a run that is killed leaves the rest to the next.
//
// The obvious DELETE … WHERE last_login < ? OR created_at < ? … LIMIT 50 can use no
// index for its OR: it reads the whole table for each 50 rows and locks what it reads.

// health is the user of the RADIUS health check, which is never deleted.
const health = "HEALTH"

// The pace of changes. A statement that takes long makes the next one smaller, so that
// the locks stay short on a small or busy server too; 100 ms is the most that anybody
// who wants the same rows should wait.
const (
	firstBatch = 50
	maxBatch   = 500
	longEnough = 25 * time.Millisecond
)

// inactive finds users whose last activity was before a time, by two ranges of an index
// each. Its two placeholders take the same time.
func inactive(extra string) string {
	return "SELECT username FROM userdetails WHERE last_login < ? AND username <> '" + health + "'" + extra +
		" UNION ALL " +
		"SELECT username FROM userdetails WHERE last_login IS NULL AND created_at < ? AND username <> '" + health + "'" + extra
}

// deleteStill deletes those of the given users who are still inactive. Left to itself, the
// server reads a small table as a whole and locks the gaps for new users with it; DELETE
// takes the hint against that in its form for several tables only.
const deleteStill = "DELETE u FROM userdetails u FORCE INDEX (`PRIMARY`) WHERE u.username IN (%s) AND COALESCE(u.last_login, u.created_at) < ?"

// DeleteInactive deletes the users whose last log-in, or sign-up if there was none, was
// before the given time. It returns how many it deleted, also beside an error.
func (d *DB) DeleteInactive(ctx context.Context, before time.Time) (int, error) {
	n, err := d.forget(ctx, inactive(""), deleteStill, before)
	if err != nil {
		return n, fmt.Errorf("delete inactive users: %w", err)
	}
	return n, nil
}

// DeleteInactiveGuests is DeleteInactive for users who were sponsored by somebody else.
// A user without a sponsor is no guest.
func (d *DB) DeleteInactiveGuests(ctx context.Context, before time.Time) (int, error) {
	n, err := d.forget(ctx, inactive(" AND "+isSponsored), deleteStill+" AND "+isSponsored, before)
	if err != nil {
		return n, fmt.Errorf("delete inactive guests: %w", err)
	}
	return n, nil
}

// forget deletes the rows that a query with two times finds, with a statement that takes
// the usernames and then the time.
func (d *DB) forget(ctx context.Context, find, change string, before time.Time) (int, error) {
	usernames, err := d.usernames(ctx, find, before, before)
	if err != nil {
		return 0, err
	}
	return d.inBatches(ctx, usernames, change, before)
}

// sponsorAddress is the address in a sponsor that was stored as a mail's header has it,
// Jo Smith <jo@gov.uk>; any other sponsor is its own.
const sponsorAddress = "IF(sponsor LIKE '%<%@%>', SUBSTRING_INDEX(TRIM(TRAILING '>' FROM sponsor), '<', -1), sponsor)"

// orphaned finds guests whose sponsor has no user. The index on contact finds who may
// be the sponsor's user; the letters decide, as the collation takes jöhn@ for john@.
// Phones, which have no @, and what is hidden already are left alone.
var orphaned = strings.ReplaceAll(`SELECT g.username FROM userdetails g
LEFT JOIN userdetails u ON u.contact = address AND BINARY LOWER(u.contact) = BINARY LOWER(address)
WHERE g.sponsor LIKE '%@%' AND g.sponsor NOT LIKE 'user@%' AND u.username IS NULL`,
	"address", strings.ReplaceAll(sponsorAddress, "sponsor", "g.sponsor"))

// obfuscate keeps the domain: what is behind the last @, in its own letter case. Cut to
// the column's width, since "user" may be longer than what it hides.
var obfuscate = "UPDATE userdetails FORCE INDEX (`PRIMARY`) SET sponsor = LEFT(CONCAT('user@', SUBSTRING_INDEX(" +
	strings.ReplaceAll(sponsorAddress, "%", "%%") + ", '@', -1)), 100)" +
	" WHERE username IN (%s) AND sponsor LIKE '%%@%%' AND sponsor NOT LIKE 'user@%%'"

// ObfuscateSponsors hides the local part of every sponsor's address that has no user of
// its own (any more): sally@gov.uk becomes user@gov.uk. It returns how many rows it
// changed, also beside an error. A sponsor who signs up while it runs may be hidden all
// the same; locking them out would hold up every sign-up.
func (d *DB) ObfuscateSponsors(ctx context.Context) (int, error) {
	usernames, err := d.usernames(ctx, orphaned)
	if err != nil {
		return 0, fmt.Errorf("find orphaned sponsors: %w", err)
	}
	n, err := d.inBatches(ctx, usernames, obfuscate)
	if err != nil {
		return n, fmt.Errorf("obfuscate sponsors: %w", err)
	}
	return n, nil
}

// usernames reads the one column of a query.
func (d *DB) usernames(ctx context.Context, query string, args ...any) ([]string, error) {
	return retry(ctx, func() ([]string, error) {
		rows, err := d.sql.QueryContext(ctx, query, args...)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		var all []string
		for rows.Next() {
			var username string
			if err := rows.Scan(&username); err != nil {
				return nil, err
			}
			all = append(all, username)
		}
		return all, rows.Err()
	})
}

// inBatches executes a statement for all usernames, a few at a time, and returns how
// many rows it changed. %s stands for their placeholders; other arguments come behind.
func (d *DB) inBatches(ctx context.Context, usernames []string, statement string, args ...any) (int, error) {
	changed, size := 0, firstBatch
	for len(usernames) > 0 {
		batch := usernames[:min(size, len(usernames))]
		usernames = usernames[len(batch):]
		values := append(anys(batch), args...)
		began := time.Now()
		n, err := d.change(ctx, fmt.Sprintf(statement, placeholders(len(batch))), values...)
		changed += n
		if err != nil {
			return changed, err
		}
		if time.Since(began) > longEnough {
			size = max(1, size/2)
		} else {
			size = min(maxBatch, size*2)
		}
	}
	return changed, nil
}

// change executes a statement and returns how many rows it changed.
func (d *DB) change(ctx context.Context, statement string, args ...any) (int, error) {
	return retry(ctx, func() (int, error) {
		result, err := d.sql.ExecContext(ctx, statement, args...)
		if err != nil {
			return 0, err
		}
		n, err := result.RowsAffected()
		return int(n), err
	})
}

func placeholders(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }

func anys(texts []string) []any {
	values := make([]any, len(texts))
	for i, text := range texts {
		values[i] = text
	}
	return values
}
