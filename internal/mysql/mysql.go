// Package mysql keeps users and copies of notifications in MySQL (or MariaDB), and
// brings the schema up to date. It is the only importer of database/sql.
//
// Every method may be retried: what it did before it failed is found again, not
// done twice. Errors carry no contact and no credentials.
package mysql

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// Config says where the database is and what new users are made from.
type Config struct {
	// Hostname is a host, or host:port; the port is 3306 unless given.
	Hostname string
	// Name is the database's name.
	Name string
	// User and Pass log in. Pass is secret and appears in no error.
	User, Pass string
	// TLS is "false" or empty for none, "true" to verify the server's certificate
	// by the system's roots (SSL_CERT_FILE adds RDS's), "skip-verify" to encrypt
	// without looking, "preferred" to encrypt where the server can.
	TLS string
	// MaxConns is the most connections at once; 0 means 16. The sandbox's in-memory
	// database needs 1, since it checks unique keys only between statements that
	// follow each other.
	MaxConns int
	// Words make the passwords of new users. Whoever creates none, as `worker
	// migrate`, may leave it out; a new user then fails with an error.
	Words govwifi.Words
	// Log is told at level debug whether a user was found or created, by the trace of
	// the context and with no contact; nil means nobody is.
	Log *slog.Logger
	// Now is the clock that dates new users; nil means time.Now.
	Now func() time.Time
	// Rand is what usernames and passwords are drawn from; nil means crypto/rand.
	Rand io.Reader
}

// The pool. Idle connections are kept up to its full size: database/sql's default of
// 2 would close and reopen connections all day under load.
const (
	// maxConns: a job needs a connection for a few milliseconds, so 16 serve the 68
	// jobs that a worker runs at once by default without a queue worth the name, and
	// five workers stay well below what a small RDS instance grants (about 150).
	maxConns = 16
	// maxLifetime bounds how long a worker may go on reading from a primary that
	// a failover has made a replica: writes notice at once, reads do not. It also
	// follows DNS and spreads over the servers behind one name.
	maxLifetime = 3 * time.Minute
	// maxIdleTime gives connections back to the server after a busy spell. It is
	// below every proxy's and server's own limit, so the server never hangs up first.
	maxIdleTime = time.Minute
)

const (
	dialTimeout  = 5 * time.Second
	writeTimeout = 10 * time.Second
	// readTimeout is the last resort against a server that is there but silent;
	// callers' contexts end sooner. It is above InnoDB's 50 s of waiting for a lock.
	readTimeout = time.Minute
)

// DB is the database. It is safe for concurrent use.
type DB struct {
	sql    *sql.DB
	config *driver.Config
	words  govwifi.Words
	log    *slog.Logger
	now    func() time.Time
	random io.Reader
}

// Open connects and makes sure that the server answers. It does not look at the
// schema: CheckSchema does, Migrate changes it.
func Open(ctx context.Context, c Config) (*DB, error) {
	config, err := driverConfig(c)
	if err != nil {
		return nil, fmt.Errorf("configure the database: %w", err)
	}
	pool, err := connect(config)
	if err != nil {
		return nil, fmt.Errorf("configure the database: %w", err)
	}
	conns := cmp.Or(c.MaxConns, maxConns)
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	pool.SetConnMaxLifetime(maxLifetime)
	pool.SetConnMaxIdleTime(maxIdleTime)
	db := &DB{sql: pool, config: config, words: c.Words, log: c.Log, now: c.Now, random: c.Rand}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	if db.now == nil {
		db.now = time.Now
	}
	if db.random == nil {
		db.random = rand.Reader
	}
	if err := db.Ping(ctx); err != nil {
		_ = pool.Close()
		return nil, err
	}
	return db, nil
}

// driverConfig translates the configuration and pins down what would otherwise
// depend on the server.
func driverConfig(c Config) (*driver.Config, error) {
	config := driver.NewConfig()
	config.Net, config.Addr, config.DBName = "tcp", c.Hostname, c.Name
	config.User, config.Passwd, config.TLSConfig = c.User, c.Pass, c.TLS
	config.Timeout, config.ReadTimeout, config.WriteTimeout = dialTimeout, readTimeout, writeTimeout
	config.ParseTime = true
	// An UPDATE counts the rows it found, not those it changed: "already so" is
	// not "not there".
	config.ClientFoundRows = true
	// A primary that became a replica refuses writes for ever: drop such a
	// connection, and the next one goes where the name points now.
	config.RejectReadOnly = true
	// One round trip per statement instead of three, and nothing prepared that a
	// failover forgets. The driver escapes safely, as the charset is utf8mb4.
	config.InterpolateParams = true
	// What matters comes back as an error; the driver's own lines would bypass
	// our logger.
	config.Logger = &driver.NopLogger{}
	config.Params = map[string]string{
		"time_zone": "'+00:00'",
		// Strict, or MySQL would cut off what does not fit and call it a warning;
		// RDS's default is not. Zero dates stay allowed: old rows may hold some.
		"sql_mode": "'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'",
	}
	err := config.Apply(driver.Charset("utf8mb4", "utf8mb4_general_ci"))
	return config, err
}

func connect(config *driver.Config) (*sql.DB, error) {
	connector, err := driver.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// Ping makes sure that the server answers.
func (d *DB) Ping(ctx context.Context) error {
	if err := d.sql.PingContext(ctx); err != nil {
		return fmt.Errorf("reach the database: %w", explain(err))
	}
	return nil
}

// Stats tells what the pool of connections is doing.
func (d *DB) Stats() sql.DBStats { return d.sql.Stats() }

// Close closes all connections.
func (d *DB) Close() error { return d.sql.Close() }
