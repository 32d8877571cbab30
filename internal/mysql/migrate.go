package mysql

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ErrSchemaBehind says that the database lacks something that this release needs.
var ErrSchemaBehind = errors.New("the database schema is behind: run `worker migrate`")

// files are the migrations: NNNN_name.sql, of which the number is the version.
//
// A statement under a `-- when:` comment runs only if the query in that comment gives
// 1. So each file describes a goal that it reaches from anywhere: an empty database,
// GovWifi's existing one, or one on which it broke off half-way
// (docs/decisions/0011-migrations.md).
//
//go:embed migrations/*.sql
var files embed.FS

// bookkeeping is not called schema_migrations: that is the Ruby migrator's.
const bookkeeping = `CREATE TABLE IF NOT EXISTS user_signup_migrations (
  version int NOT NULL,
  name varchar(100) NOT NULL,
  applied_at timestamp NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (version)
)`

// metadataWait is how many seconds a change of a table waits for transactions that
// use it. Everyone who comes after the change waits behind it, RADIUS included: so
// the wait is short and the change asks again.
const metadataWait = 2

// migration is one file.
type migration struct {
	version    int
	name       string
	statements []statement
}

// statement is SQL with the query that decides whether it runs; none means it does.
type statement struct{ when, sql string }

// Migrate brings the schema up to date. It may be called again, after a failure too,
// and by several processes at once: one works, the others wait for it as long as
// their context lasts.
func (d *DB) Migrate(ctx context.Context) error {
	// A pool of its own: an index on a large table takes longer to build than any
	// answer may take elsewhere.
	patient := d.config.Clone()
	patient.ReadTimeout = 0
	pool, err := connect(patient)
	if err != nil {
		return fmt.Errorf("configure the database: %w", err)
	}
	defer pool.Close()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("reach the database: %w", explain(err))
	}
	defer conn.Close()
	if err := lock(ctx, conn, d.config.DBName); err != nil {
		return fmt.Errorf("wait for other migrations: %w", explain(err))
	}
	// The lock ends with the connection, which ends with the pool.
	if _, err := conn.ExecContext(ctx, fmt.Sprintf("SET SESSION lock_wait_timeout = %d", metadataWait)); err != nil {
		return fmt.Errorf("prepare migrations: %w", explain(err))
	}
	if _, err := conn.ExecContext(ctx, bookkeeping); err != nil {
		return fmt.Errorf("create table user_signup_migrations: %w", explain(err))
	}
	for _, m := range migrations() {
		if err := m.apply(ctx, conn); err != nil {
			return fmt.Errorf("apply migration %04d_%s: %w", m.version, m.name, explain(err))
		}
	}
	return nil
}

// CheckSchema returns ErrSchemaBehind, with the versions, if Migrate has something to
// do. A schema of a newer release is fine: migrations only ever add.
func (d *DB) CheckSchema(ctx context.Context) error {
	have, err := retry(ctx, func() (int, error) {
		var version sql.NullInt64
		err := d.sql.QueryRowContext(ctx, "SELECT MAX(version) FROM user_signup_migrations").Scan(&version)
		if number(err) == noSuchTable {
			return 0, nil
		}
		return int(version.Int64), err
	})
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	all := migrations()
	if need := all[len(all)-1].version; have < need {
		return fmt.Errorf("%w (it is at version %d, this release needs %d)", ErrSchemaBehind, have, need)
	}
	return nil
}

// lock waits for the database's migration lock. The server frees it when the
// connection ends, however that happens. Its name is hashed, as a lock's name is
// shared by all databases of a server and may have 64 characters only.
func lock(ctx context.Context, conn *sql.Conn, database string) error {
	sum := sha256.Sum256([]byte(database))
	name := "user_signup_migrate_" + hex.EncodeToString(sum[:8])
	for {
		// A second at a time, or a cancelled context would leave a waiter behind
		// on the server.
		var got sql.NullInt64
		if err := conn.QueryRowContext(ctx, "SELECT GET_LOCK(?, 1)", name).Scan(&got); err != nil {
			return err
		}
		if got.Int64 == 1 {
			return nil
		}
	}
}

// apply brings the schema to one version, unless it is there, and notes it.
func (m migration) apply(ctx context.Context, conn *sql.Conn) error {
	var applied int
	row := conn.QueryRowContext(ctx, "SELECT COUNT(*) FROM user_signup_migrations WHERE version = ?", m.version)
	if err := row.Scan(&applied); err != nil {
		return err
	}
	if applied > 0 {
		return nil
	}
	for _, s := range m.statements {
		if err := s.run(ctx, conn); err != nil {
			return err
		}
	}
	_, err := conn.ExecContext(ctx, "INSERT INTO user_signup_migrations (version, name) VALUES (?, ?)", m.version, m.name)
	return err
}

// run executes the statement if it is due, as often as it takes: whoever uses the
// table now will not for ever.
func (s statement) run(ctx context.Context, conn *sql.Conn) error {
	if s.when != "" {
		var due bool
		if err := conn.QueryRowContext(ctx, s.when).Scan(&due); err != nil {
			return err
		}
		if !due {
			return nil
		}
	}
	for {
		_, err := conn.ExecContext(ctx, s.sql)
		if n := number(err); n != lockWaitTimeout && n != deadlock {
			return err
		}
		// As long a pause as the wait was, for those who queued up behind it.
		select {
		case <-ctx.Done():
			return err
		case <-time.After(metadataWait * time.Second):
		}
	}
}

var fileName = regexp.MustCompile(`^([0-9]{4})_([a-z_]+)\.sql$`)

// migrations reads the embedded files in the order of their versions. It panics on a
// file that is none, which the first test finds.
func migrations() []migration {
	entries, err := fs.ReadDir(files, "migrations")
	if err != nil {
		panic(err)
	}
	var all []migration
	for _, entry := range entries {
		parts := fileName.FindStringSubmatch(entry.Name())
		text, err := fs.ReadFile(files, "migrations/"+entry.Name())
		if parts == nil || err != nil {
			panic(fmt.Sprintf("mysql: %s is no migration: %v", entry.Name(), err))
		}
		version, _ := strconv.Atoi(parts[1])
		all = append(all, migration{version: version, name: parts[2], statements: parse(string(text))})
	}
	return all
}

// parse splits a file into its statements, which end with a semicolon at the end of
// a line. A comment of several lines after `-- when:` is one query.
func parse(file string) []statement {
	var all []statement
	var current statement
	var inWhen bool
	for line := range strings.Lines(file) {
		comment, isComment := strings.CutPrefix(line, "--")
		query, isWhen := strings.CutPrefix(comment, " when:")
		switch {
		case isWhen:
			current.when, inWhen = query, true
		case isComment && inWhen:
			current.when += comment
		case isComment:
		default:
			inWhen = false
			current.sql += line
		}
		if sql, ends := strings.CutSuffix(strings.TrimSpace(current.sql), ";"); ends {
			all = append(all, statement{when: strings.TrimSpace(current.when), sql: sql})
			current = statement{}
		}
	}
	return all
}
