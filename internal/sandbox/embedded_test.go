package sandbox

import (
	"database/sql"
	"fmt"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	"golang.org/x/sync/errgroup"
)

// Several connections write at once, as worker, RADIUS and the seeding do: no row is lost.
func TestConcurrentWriters(t *testing.T) {
	t.Parallel()
	database, stop, err := startMySQL()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	pool, err := sql.Open("mysql", "root@tcp("+database.Hostname+")/"+database.Name+"?interpolateParams=true")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
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
