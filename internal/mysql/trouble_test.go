package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	mysql "github.com/go-sql-driver/mysql"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/testenv"
)

// ownServer is a migrated database on a server that the test may disturb, and root's
// connection to it.
func ownServer(t *testing.T) (*testenv.MySQLServer, bundle, *sql.DB) {
	t.Helper()
	server := testenv.NewMySQLServer(t)
	b := bundle{DB: open(t, config(server.MySQLDatabase)), at: server.MySQLDatabase, raw: server.Open(t)}
	if err := b.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	root := testenv.MySQLDatabase{Host: server.Host, Name: server.Name, User: "root"}
	return server, b, root.Open(t)
}

// They share a server, as starting one takes longer than all of them.
func TestTroubledServer(t *testing.T) {
	t.Parallel()
	server, b, root := ownServer(t)
	t.Run("read-only", func(t *testing.T) { readOnly(t, b, root) })
	t.Run("too many connections", func(t *testing.T) { tooMany(t, b, root) })
	t.Run("restart", func(t *testing.T) { restart(t, server, b) })
}

func readOnly(t *testing.T, b bundle, root *sql.DB) {
	known := create(t, b.DB, "known@x.gov.uk", "known@x.gov.uk")
	exec(t, root, "SET GLOBAL read_only = 1")
	_, err := b.FindOrCreate(t.Context(), john, john)
	if err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("read-only server: %v, want an error that says so", err)
	}
	if again := create(t, b.DB, known.Contact, known.Contact); again != known {
		t.Error("a user who exists is another on a read-only server")
	}
	exec(t, root, "SET GLOBAL read_only = 0")
	create(t, b.DB, john, john)
}

// A connection to a server that became read-only is not used again.
func TestReadOnlyConnectionIsDropped(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.sql.SetMaxOpenConns(1)
	exec(t, b.sql, "SET SESSION TRANSACTION READ ONLY")
	create(t, b.DB, john, john)
}

func restart(t *testing.T, server *testenv.MySQLServer, b bundle) {
	b.sql.SetMaxIdleConns(4)
	together := func() {
		t.Helper()
		if _, err := together(t.Context(), 4, func(ctx context.Context) (govwifi.User, error) {
			return b.FindOrCreate(ctx, "paul@x.gov.uk", john)
		}); err != nil {
			t.Fatal(err)
		}
	}
	together()
	server.Stop()
	if _, err := b.FindOrCreate(t.Context(), "mary@x.gov.uk", john); err == nil || errors.Is(err, govwifi.ErrNotFound) {
		t.Errorf("no server: %v", err)
	}
	if err := b.Ping(t.Context()); err == nil {
		t.Error("Ping finds a server that is not there")
	}
	server.Start()
	together()
	create(t, b.DB, "mary@x.gov.uk", john)
}

// The answer to the INSERT is lost: the call looks again and finds the row.
func TestLostReply(t *testing.T) {
	t.Parallel()
	b := setup(t)
	proxy := testenv.NewProxy(t, b.at.Host)
	c := config(b.at)
	c.Hostname = proxy.Addr
	db := open(t, c)
	proxy.SwallowReplies(1, "insert into userdetails")
	user := create(t, db, john, john)
	if proxy.Swallowed() != 1 {
		t.Fatal("no reply was lost")
	}
	row := query(t, b.raw, "SELECT username, password FROM userdetails")
	if row != user.Username+"\t"+user.Password {
		t.Errorf("rows are %q, returned %s", row, user.Username)
	}
}

func tooMany(t *testing.T, b bundle, root *sql.DB) {
	b.sql.SetMaxIdleConns(0)
	exec(t, root, "SET GLOBAL max_connections = 10")
	var others []*sql.Conn
	for {
		conn, err := b.raw.Conn(t.Context())
		if number(err) == tooManyConnections {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		others = append(others, conn)
	}
	if _, err := b.FindOrCreate(t.Context(), "max@x.gov.uk", john); number(err) != tooManyConnections {
		t.Errorf("no connection left: %v", err)
	}
	b.raw.SetMaxIdleConns(0)
	for _, conn := range others {
		_ = conn.Close()
	}
	await(t, root, "user <> 'root'", false)
	create(t, b.DB, "max@x.gov.uk", john)
}

func TestRetry(t *testing.T) {
	t.Parallel()
	numbered := func(n uint16) error { return fmt.Errorf("try: %w", &mysql.MySQLError{Number: n}) }
	tests := []struct {
		name  string
		err   error
		calls int
	}{
		{"success", nil, 1},
		{"deadlock", numbered(1213), 3},
		{"lock wait time-out", numbered(1205), 3},
		{"too many connections", numbered(1040), 3},
		{"too many connections of one user", numbered(1203), 3},
		{"shutting down", numbered(1053), 3},
		{"cut connection", mysql.ErrInvalidConn, 3},
		{"syntax", numbered(1064), 1},
		{"access denied", numbered(1045), 1},
		{"not found", govwifi.ErrNotFound, 1},
		{"not storable", govwifi.ErrNotStorable, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			_, err := retry(t.Context(), func() (int, error) { calls++; return 0, tt.err })
			if calls != tt.calls || !errors.Is(err, tt.err) {
				t.Errorf("%d calls, %v; want %d", calls, err, tt.calls)
			}
		})
	}
	calls := 0
	got, err := retry(t.Context(), func() (int, error) {
		calls++
		if calls < 3 {
			return 0, numbered(1213)
		}
		return 7, nil
	})
	if got != 7 || err != nil {
		t.Errorf("third time: %d, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	calls = 0
	_, _ = retry(ctx, func() (int, error) { calls++; cancel(); return 0, numbered(1213) })
	if calls != 1 {
		t.Errorf("%d calls after the context ended", calls)
	}
}

// A server that never answers must not hold a job beyond its time.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tx, err := b.raw.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(t.Context(), "INSERT INTO userdetails (username, contact_key) VALUES ('other', ?)", contactKey(john)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := b.FindOrCreate(ctx, john, john); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("behind a lock: %v", err)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	at := testenv.MySQL(t)
	tests := []struct {
		name   string
		change func(*Config)
	}{
		{"wrong password", func(c *Config) { c.Pass = "s3cret" }},
		{"no such database", func(c *Config) { c.Name = "nowhere" }},
		{"nobody listens", func(c *Config) { c.Hostname, c.Pass = "127.0.0.1:1", "s3cret" }},
		{"unknown TLS mode", func(c *Config) { c.TLS, c.Pass = "maybe", "s3cret" }},
		{"TLS with a server that has none", func(c *Config) { c.TLS = "true" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := config(at)
			tt.change(&c)
			db, err := Open(t.Context(), c)
			if err == nil {
				_ = db.Close()
				t.Fatal("opened")
			}
			if strings.Contains(err.Error(), c.Pass) {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
	c := config(at)
	c.TLS = "preferred"
	open(t, c)
}

func TestHostname(t *testing.T) {
	t.Parallel()
	for hostname, want := range map[string]string{
		"db.example": "db.example:3306", "db.example:3307": "db.example:3307", "127.0.0.1": "127.0.0.1:3306",
	} {
		config, err := driverConfig(Config{Hostname: hostname})
		if err != nil {
			t.Fatal(err)
		}
		if parsed, err := mysql.ParseDSN(config.FormatDSN()); err != nil || parsed.Addr != want {
			t.Errorf("%s: %v, %v; want %s", hostname, parsed, err, want)
		}
	}
}
