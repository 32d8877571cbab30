package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/measure"
	"github.com/govwifi/user-signup/internal/testenv"
)

// Sizes of the benchmark.
const (
	benchUsers = 1_000_000
	// benchForgotten is how many users are deleted, and how many obfuscated.
	benchForgotten = 100_000
	// plainRepeats is how many of the plain deletions are measured; the rest of them
	// is extrapolated, and said to be.
	plainRepeats = 20
	// statisticsRounds is how often ours are counted, to last about as long as the plain.
	statisticsRounds = 10
)

// benchTown has a million users: a tenth inactive for over a year, half of those because
// they never logged in; a tenth guests of sponsors who are gone; a fifth guests of
// sponsors who are there; the others self-signups, a third of them by text.
const benchTown = `INSERT INTO userdetails (username, contact, sponsor, password, created_at, last_login)
SELECT CONCAT('u', seq),
  CASE WHEN seq %% 3 = 0 THEN CONCAT('+4477', LPAD(seq, 8, '0')) ELSE CONCAT('person.', seq, '@dept', seq %% 100, '.gov.uk') END,
  CASE WHEN seq %% 10 = 2 THEN CONCAT('gone.', seq %% 1000, '@dept', seq %% 100, '.gov.uk')
       WHEN seq %% 10 IN (3, 4) THEN CONCAT('person.', 7 + 30 * (seq %% 1000), '@dept', (7 + 30 * (seq %% 1000)) %% 100, '.gov.uk')
       WHEN seq %% 3 = 0 THEN CONCAT('+4477', LPAD(seq, 8, '0')) ELSE CONCAT('person.', seq, '@dept', seq %% 100, '.gov.uk') END,
  'OneTwoThree', '2026-11-22' - INTERVAL (IF(seq %% 10 = 1, 400, 1) + seq %% 300) DAY,
  CASE WHEN seq %% 20 = 1 THEN NULL WHEN seq %% 20 = 11 THEN '2026-11-22' - INTERVAL (370 + seq %% 300) DAY
       WHEN seq %% 4 = 0 THEN NULL ELSE '2026-11-22' - INTERVAL seq %% 300 DAY END
FROM seq_1_to_%d`

// watched is the server's own record of how long statements take.
type watched struct {
	bundle
	root *sql.DB
}

// benchSetup loads a town of so many users. The slow log, with no statement too quick for
// it, is where the longest statement is read from: the server's time, not ours.
func benchSetup(b *testing.B, users int) watched {
	b.Helper()
	at := testenv.MySQL(b)
	root := testenv.MySQLDatabase{Host: at.Host, Name: "mysql", User: "root"}.Open(b)
	db, err := Open(b.Context(), config(at))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	w := watched{bundle{DB: db, at: at, raw: at.Open(b)}, root}
	if err := db.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	// testenv's server is made for small tests: this is what a small RDS instance has.
	w.do(b, w.root, "SET GLOBAL innodb_buffer_pool_size = 512 << 20, GLOBAL innodb_log_file_size = 256 << 20")
	// Indexes are quicker to build than to fill.
	w.do(b, w.raw, "ALTER TABLE userdetails DROP KEY userdetails_contact, DROP KEY userdetails_created_at, DROP KEY userdetails_last_login")
	w.do(b, w.raw, fmt.Sprintf(benchTown, users))
	w.do(b, w.raw, "ALTER TABLE userdetails ADD KEY userdetails_contact (contact), ADD KEY userdetails_created_at (created_at), ADD KEY userdetails_last_login (last_login)")
	w.do(b, w.raw, "ANALYZE TABLE userdetails")
	w.do(b, w.root, "SET GLOBAL log_output = 'TABLE', GLOBAL long_query_time = 0, GLOBAL slow_query_log = 1")
	b.Cleanup(func() { _, _ = w.root.ExecContext(context.Background(), "SET GLOBAL slow_query_log = 0") })
	// A connection keeps the long_query_time that it began with.
	w.sql.SetMaxIdleConns(0)
	w.raw.SetMaxIdleConns(0)
	return w
}

func (w watched) do(b *testing.B, db *sql.DB, statement string, args ...any) int {
	b.Helper()
	result, err := db.ExecContext(b.Context(), statement, args...)
	if err != nil {
		b.Fatalf("%.60s: %v", statement, err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		b.Fatal(err)
	}
	return int(n)
}

// measured is what a piece of work took.
type measured struct {
	rows int
	took time.Duration
	// locked is the longest statement that locks: reads of InnoDB do not.
	locked time.Duration
	// read is the longest that does not.
	read time.Duration
}

// time runs a piece of work and reads the server's log of it.
func (w watched) time(b *testing.B, work func() int) measured {
	b.Helper()
	// A statement is logged after its answer: that before ours may still come.
	var from string
	if err := w.root.QueryRowContext(b.Context(), "SELECT CAST(NOW(6) AS char)").Scan(&from); err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	m := measured{rows: work()}
	m.took = time.Since(began)
	longest := func(kind string) time.Duration {
		var micros float64
		err := w.root.QueryRowContext(b.Context(), "SELECT COALESCE(MAX(TIME_TO_SEC(query_time)), 0) * 1e6 FROM mysql.slow_log WHERE db = ? AND start_time >= ? AND sql_text "+kind+" 'SELECT%'", w.at.Name, from).Scan(&micros)
		if err != nil {
			b.Fatal(err)
		}
		return time.Duration(micros) * time.Microsecond
	}
	m.locked, m.read = longest("NOT LIKE"), longest("LIKE")
	return m
}

// report prints both ways, and how many times as fast ours is.
func report(b *testing.B, what string, ours, plain measured, faster float64, is string) {
	b.Helper()
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
	measure.Row{What: what, Ours: seconds(ours.took), Reference: seconds(plain.took), Result: plain.took.Seconds() / ours.took.Seconds(),
		Unit: "× faster", AtLeast: faster, Is: is}.Report(b)
}

// reportLock prints the longest lock of both ways.
func reportLock(b *testing.B, what string, ours, plain measured) {
	b.Helper()
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	measure.Row{What: "longest lock of the " + what, Ours: fmt.Sprintf("%.0f ms", ms(ours.locked)), Reference: fmt.Sprintf("%.0f ms", ms(plain.locked)),
		Result: ms(ours.locked), Unit: "ms", AtMost: 100, Is: "that of the same statements; the server's own record"}.Report(b)
}

// BenchmarkMaintenance compares the periodic jobs with the plain statements that they
// replace, on a million users: run it with -benchtime 1x.
func BenchmarkMaintenance(b *testing.B) {
	for b.Loop() {
		w := benchSetup(b, benchUsers)
		benchStatistics(b, w)
		benchObfuscation(b, w)
		benchDeletion(b, w)
	}
}

// The groups as a COUNT for each would name them.
const (
	isSMS    = "contact LIKE '+%' AND contact = sponsor"
	isEmail  = "contact = sponsor AND contact LIKE '%@%'"
	loggedIn = "last_login IS NOT NULL"
)

func benchStatistics(b *testing.B, w watched) {
	day := date("2026-11-22 00:00:00")
	periods := []govwifi.Period{govwifi.Day, govwifi.Week, govwifi.Month}
	ours := w.time(b, func() int {
		for range statisticsRounds {
			for _, p := range periods {
				if _, _, err := w.Statistics(b.Context(), p, day); err != nil {
					b.Fatal(err)
				}
			}
		}
		return benchUsers
	})
	ours.took /= statisticsRounds
	plain := w.time(b, func() int {
		for _, p := range periods {
			span, err := p.Before(day)
			if err != nil {
				b.Fatal(err)
			}
			last := span.To.AddDate(0, 0, -1).Format(time.DateOnly)
			in := fmt.Sprintf("DATE(created_at) BETWEEN '%s' AND '%s'", span.From.Format(time.DateOnly), last)
			upTo := "DATE(created_at) <= '2026-11-21'"
			for _, condition := range []string{in, upTo, isSMS + " AND " + in, isSMS + " AND " + upTo, isEmail + " AND " + in, isEmail + " AND " + upTo,
				isSponsored + " AND " + in, isSponsored + " AND " + upTo,
				isSMS + " AND " + in, isSMS + " AND " + in + " AND " + loggedIn, isEmail + " AND " + in, isEmail + " AND " + in + " AND " + loggedIn,
				isSponsored + " AND " + in, isSponsored + " AND " + in + " AND " + loggedIn} {
				var n int
				if err := w.raw.QueryRowContext(b.Context(), "SELECT COUNT(*) FROM userdetails WHERE "+condition).Scan(&n); err != nil {
					b.Fatal(err)
				}
			}
		}
		return benchUsers
	})
	report(b, "all statistics on 1,000,000 users", ours, plain, 10, "a COUNT for each number, by DATE(created_at)")
}

// benchObfuscation undoes the plain way, so that both have the same to do.
func benchObfuscation(b *testing.B, w watched) {
	w.do(b, w.raw, "CREATE TABLE before_obfuscation AS SELECT username, sponsor FROM userdetails WHERE sponsor LIKE 'gone.%'")
	w.do(b, w.raw, "ALTER TABLE before_obfuscation ADD PRIMARY KEY (username)")
	plain := w.time(b, func() int {
		return w.do(b, w.raw, `UPDATE userdetails g LEFT JOIN userdetails u ON u.contact = g.sponsor
SET g.sponsor = CONCAT('user@', SUBSTRING_INDEX(g.sponsor, '@', -1))
WHERE g.sponsor LIKE '%@%' AND g.sponsor NOT LIKE 'user@%' AND u.username IS NULL`)
	})
	w.do(b, w.raw, "UPDATE userdetails u JOIN before_obfuscation o ON o.username = u.username SET u.sponsor = o.sponsor")
	ours := w.time(b, func() int {
		n, err := w.ObfuscateSponsors(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		return n
	})
	if ours.rows != benchForgotten || plain.rows != benchForgotten {
		b.Errorf("obfuscated %d, plainly %d", ours.rows, plain.rows)
	}
	report(b, "obfuscation of 100,000 of 1,000,000 users", ours, plain, 0, "one UPDATE of all")
	reportLock(b, "obfuscation", ours, plain)
}

// benchDeletion measures a few of the plain statements at the beginning, which is where
// they find their 50 rows soonest: the extrapolation flatters them.
func benchDeletion(b *testing.B, w watched) {
	const condition = "(last_login < '2025-11-22' OR (last_login IS NULL AND created_at < '2025-11-22')) AND username <> 'HEALTH'"
	plain := w.time(b, func() int {
		n := 0
		for range plainRepeats {
			n += w.do(b, w.raw, "DELETE FROM userdetails WHERE "+condition+" LIMIT 50")
		}
		return n
	})
	factor := float64(benchForgotten) / float64(plain.rows)
	is := fmt.Sprintf("DELETE … LIMIT 50 with an OR, repeated; extrapolated from %d statements, %.1f s", plainRepeats, plain.took.Seconds())
	plain.took = time.Duration(float64(plain.took) * factor)
	ours := w.time(b, func() int {
		n, err := w.DeleteInactive(b.Context(), date("2025-11-22 00:00:00"))
		if err != nil {
			b.Fatal(err)
		}
		return n
	})
	if ours.rows+plain.rows != benchForgotten {
		b.Errorf("deleted %d and %d", plain.rows, ours.rows)
	}
	report(b, "deletion of 100,000 of 1,000,000 users", ours, plain, 50, is)
	reportLock(b, "deletion", ours, plain)
}

// BenchmarkGrowth looks how the periodic jobs, and a sign-up beside them, grow with the
// table.
func BenchmarkGrowth(b *testing.B) {
	const x = "users"
	statistics := measure.Curve{Name: "statistics", Title: "All statistics of a day", X: x, Y: "ms"}
	deletion := measure.Curve{Name: "deletion", Title: "Deletion of a tenth of all users", X: x, Y: "ms"}
	signup := measure.Curve{Name: "signup", Title: "A new user in MySQL", X: x, Y: "ms, median of 500"}
	for users := benchUsers / 100; users <= benchUsers; users *= 10 {
		w := benchSetup(b, users)
		took := func(c *measure.Curve, work func() error) {
			began := time.Now()
			if err := work(); err != nil {
				b.Fatal(err)
			}
			c.Points = append(c.Points, measure.Point{X: float64(users), Y: float64(time.Since(began).Microseconds()) / 1000})
		}
		took(&statistics, func() error {
			_, _, err := w.Statistics(b.Context(), govwifi.Day, date("2026-11-22 00:00:00"))
			return err
		})
		var each []time.Duration
		for i := range 500 {
			began := time.Now()
			contact := govwifi.Contact(fmt.Sprintf("new.%d@dept.gov.uk", i))
			if _, err := w.FindOrCreate(b.Context(), contact, contact); err != nil {
				b.Fatal(err)
			}
			each = append(each, time.Since(began))
		}
		slices.Sort(each)
		signup.Points = append(signup.Points, measure.Point{X: float64(users), Y: float64(each[len(each)/2].Microseconds()) / 1000})
		took(&deletion, func() error {
			_, err := w.DeleteInactive(b.Context(), date("2025-11-22 00:00:00"))
			return err
		})
	}
	for _, c := range []measure.Curve{statistics, deletion, signup} {
		c.Report(b)
	}
}
