package sandbox

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	"golang.org/x/sync/errgroup"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/mysql"
	"github.com/govwifi/user-signup/internal/worker"
)

// embedded starts an empty database for this test alone, and opens connections to it that are
// not the service's own.
func embedded(t *testing.T) (worker.Database, *sql.DB) {
	t.Helper()
	at, stop, err := startMySQL()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	pool, err := sql.Open("mysql", "root@tcp("+at.Hostname+")/"+at.Name+"?interpolateParams=true")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	return at, pool
}

// Several connections write at once, as worker, RADIUS and the seeding do: no row is lost.
func TestConcurrentWriters(t *testing.T) {
	t.Parallel()
	_, pool := embedded(t)
	if _, err := pool.Exec("CREATE TABLE people (name varchar(20) NOT NULL, PRIMARY KEY (name))"); err != nil {
		t.Fatal(err)
	}
	const writers, each = 4, 50
	var group errgroup.Group
	for writer := range writers {
		group.Go(func() error {
			for i := range each {
				if _, err := pool.Exec("INSERT INTO people (name) VALUES (?)", fmt.Sprintf("%d-%d", writer, i)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := pool.QueryRow("SELECT COUNT(*) FROM people").Scan(&n); err != nil || n != writers*each {
		t.Errorf("%d rows of %d, %v", n, writers*each, err)
	}
}

// The embedded database counts the groups exactly: what is added up has more digits than a
// float holds.
func TestStatisticsAreExact(t *testing.T) {
	t.Parallel()
	at, pool := embedded(t)
	db, err := mysql.Open(t.Context(), mysql.Config{Hostname: at.Hostname, Name: at.Name, User: at.User, MaxConns: at.MaxConns})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(`INSERT INTO userdetails (username, contact, sponsor, created_at) VALUES
('a', '+447700900123', '+447700900123', '2026-11-21'), ('b', 'b@x.uk', 'b@x.uk', '2026-11-21'), ('c', 'c@x.uk', 'c@x.uk', '2026-11-22'),
('d', 'd@x.uk', 'boss@x.uk', '2026-11-20'), ('e', 'e@x.uk', 'boss@x.uk', '2026-11-21')`); err != nil {
		t.Fatal(err)
	}
	got, _, err := db.Statistics(t.Context(), govwifi.Day, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC))
	want := govwifi.Volumetrics{Period: govwifi.Day, MetricName: govwifi.VolumetricsMetric, PeriodBefore: 3, Cumulative: 4, SMSPeriodBefore: 1, SMSCumulative: 1,
		EmailPeriodBefore: 1, EmailCumulative: 1, SponsoredPeriodBefore: 1, SponsoredCumulative: 2}
	if got != want || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
}
