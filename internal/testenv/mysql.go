package testenv

import (
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// MySQLDatabase is an empty database and a user who may do everything in it and
// nothing elsewhere.
type MySQLDatabase struct {
	// Host is 127.0.0.1:port.
	Host string
	// Name is the name of the database.
	Name string
	// User and Pass log in to it.
	User, Pass string
}

// MySQL makes an empty database for this test alone and drops it afterwards. All
// tests of a process share one MariaDB, which starts with the first of them
// (about 1.5 s) and ends with the process.
func MySQL(t testing.TB) MySQLDatabase {
	t.Helper()
	s, err := sharedMariaDB()
	if err != nil {
		t.Fatalf("testenv: %v", err)
	}
	db := createDatabase(t, s)
	t.Cleanup(func() {
		// Without a limit it would wait a day behind a transaction that the test left open.
		if err := asRoot(s, "SET lock_wait_timeout = 10", "DROP DATABASE "+db.Name, "DROP USER "+db.User); err != nil {
			t.Errorf("testenv: drop database: %v", err)
		}
	})
	return db
}

// DSN is what sql.Open("mysql", …) takes: times are time.Time in UTC, and one call
// may hold several statements.
func (d MySQLDatabase) DSN() string {
	c := mysql.NewConfig()
	c.Net, c.Addr, c.DBName, c.User, c.Passwd = "tcp", d.Host, d.Name, d.User, d.Pass
	c.ParseTime, c.MultiStatements = true, true
	return c.FormatDSN()
}

// Open opens the database for a test that looks behind the adapter's back. It is
// closed with the test.
func (d MySQLDatabase) Open(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", d.DSN())
	if err != nil {
		t.Fatalf("testenv: %v", err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// MySQLServer is a MariaDB that a test may stop and start, with an empty database in
// it. Its methods fail the test when they cannot do so.
type MySQLServer struct {
	MySQLDatabase

	t testing.TB
	s *server
}

// NewMySQLServer starts a MariaDB for this test alone (about 1.5 s: use MySQL where
// the server need not go away). It ends with the test.
func NewMySQLServer(t testing.TB) *MySQLServer {
	t.Helper()
	s, err := newMariaDB()
	if s != nil {
		t.Cleanup(func() {
			if err := s.end(""); err != nil {
				t.Errorf("testenv: end MariaDB: %v", err)
			}
		})
	}
	if err != nil {
		t.Fatalf("testenv: %v", err)
	}
	return &MySQLServer{MySQLDatabase: createDatabase(t, s), t: t, s: s}
}

// Stop kills MariaDB at once, as a crash does. Connections are refused afterwards.
func (m *MySQLServer) Stop() {
	m.t.Helper()
	if err := m.s.end("keep\n"); err != nil {
		m.t.Fatalf("testenv: stop MariaDB: %v", err)
	}
}

// Start starts a stopped MariaDB on the same port, with everything it had committed.
func (m *MySQLServer) Start() {
	m.t.Helper()
	if err := m.s.start(); err != nil {
		m.t.Fatalf("testenv: start MariaDB: %v", err)
	}
}

// sharedMariaDB is the MariaDB of this process. Nobody ends it: its supervisor does,
// when the process is gone.
var sharedMariaDB = sync.OnceValues(newMariaDB)

// newMariaDB starts a MariaDB with an empty data directory. A server that it returns
// is to be ended even when the error is not nil.
func newMariaDB() (*server, error) {
	daemon, err := binary("mariadbd")
	if err != nil {
		return nil, err
	}
	install, err := binary("mariadb-install-db")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "testenv-")
	if err != nil {
		return nil, err
	}
	options := func(dir string) []string {
		o := []string{"--no-defaults", "--datadir=" + filepath.Join(dir, "data"),
			// In the common one, each MariaDB that starts deletes the files of the others.
			"--tmpdir=" + dir,
			"--innodb-log-file-size=16M", "--skip-name-resolve"}
		if os.Getuid() == 0 {
			// It refuses to run as root unless told to.
			o = append(o, "--user=root")
		}
		return o
	}
	s := &server{
		dir: dir,
		args: func(dir string, port int) []string {
			return append(append([]string{daemon}, options(dir)...),
				"--port="+strconv.Itoa(port), "--bind-address=127.0.0.1",
				"--socket="+filepath.Join(dir, "socket"), "--pid-file="+filepath.Join(dir, "pid"),
				"--character-set-server=utf8mb4", "--max-connections=1000", "--innodb-buffer-pool-size=64M",
				// Each commit is written, not fsynced: it outlives Stop, not a power cut.
				"--innodb-flush-log-at-trx-commit=2")
		},
		ready: mariaDBReady,
	}
	out, err := exec.Command(install, append(options(dir), "--auth-root-authentication-method=normal", "--skip-test-db")...).CombinedOutput()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("run mariadb-install-db: %w\n%s", err, out), os.RemoveAll(dir))
	}
	return s, s.launch()
}

// mariaDBReady is nil once MariaDB answers, and if it is ours: that of another test
// may have taken the port first.
func mariaDBReady(s *server) error {
	db, err := sql.Open("mysql", rootDSN(s))
	if err != nil {
		return err
	}
	defer db.Close()
	var dir string
	err = db.QueryRow("SELECT @@datadir").Scan(&dir)
	var refused *mysql.MySQLError
	if errors.As(err, &refused) {
		return fmt.Errorf("%w: %w", errPortTaken, err)
	}
	if err == nil && filepath.Clean(dir) != filepath.Join(s.dir, "data") {
		return errPortTaken
	}
	return err
}

// createDatabase makes a database with a user of its own.
func createDatabase(t testing.TB, s *server) MySQLDatabase {
	t.Helper()
	name := "test_" + strings.ToLower(rand.Text()[:12])
	db := MySQLDatabase{Host: s.addr(), Name: name, User: name, Pass: "pass-" + name}
	err := asRoot(s, "CREATE DATABASE "+name, fmt.Sprintf("CREATE USER %s IDENTIFIED BY '%s'", name, db.Pass),
		fmt.Sprintf("GRANT ALL ON %s.* TO %s", name, name))
	if err != nil {
		t.Fatalf("testenv: create database: %v", err)
	}
	return db
}

// asRoot runs statements on one connection, which it closes: an idle pool would be a
// goroutine that goleak finds.
func asRoot(s *server, statements ...string) error {
	db, err := sql.Open("mysql", rootDSN(s))
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			return err
		}
	}
	return nil
}

func rootDSN(s *server) string { return MySQLDatabase{Host: s.addr(), User: "root"}.DSN() }
