// Package people is the table of users as GovWifi's other services see it: RADIUS looks
// for a password and notes the login, the admin application lists people. It speaks
// to the sandbox's database over the wire, as they do to theirs.
package people

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// Table is userdetails.
type Table struct{ sql *sql.DB }

// Open makes a pool; nothing is dialled until the first question.
func Open(addr, database string) (*Table, error) {
	config := mysql.NewConfig()
	config.Net, config.Addr, config.User, config.DBName = "tcp", addr, "root", database
	config.ParseTime, config.InterpolateParams = true, true
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("configure the database: %w", err)
	}
	return &Table{sql.OpenDB(connector)}, nil
}

// Close closes all connections.
func (t *Table) Close() error { return t.sql.Close() }

// Password is a user's; the table's collation finds it whatever the letter case.
func (t *Table) Password(ctx context.Context, username string) (password string, known bool, err error) {
	err = t.sql.QueryRowContext(ctx, "SELECT COALESCE(password, '') FROM userdetails WHERE username = ?", username).Scan(&password)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("look up a password: %w", err)
	}
	return password, password != "", nil
}

// LoggedIn notes today as the last login, as GovWifi's logging-api does.
func (t *Table) LoggedIn(ctx context.Context, username string) error {
	today := time.Now().UTC().Truncate(24 * time.Hour)
	if _, err := t.sql.ExecContext(ctx, "UPDATE userdetails SET last_login = ? WHERE username = ?", today, username); err != nil {
		return fmt.Errorf("note a login: %w", err)
	}
	return nil
}

// Person is a row as it may be shown: contact and sponsor are masked, and there is no
// password.
type Person struct {
	Username, Contact, Sponsor string
	// Guest says that the sponsor is somebody else.
	Guest   bool
	Created time.Time
	// LastLogin is zero for never.
	LastLogin time.Time
}

// Latest lists who signed up last, and says how many there are in all.
func (t *Table) Latest(ctx context.Context, limit int) (people []Person, total int, err error) {
	if err := t.sql.QueryRowContext(ctx, "SELECT COUNT(*) FROM userdetails").Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("count people: %w", err)
	}
	rows, err := t.sql.QueryContext(ctx, `SELECT username, COALESCE(contact, ''), COALESCE(sponsor, ''), created_at, last_login
FROM userdetails ORDER BY created_at DESC LIMIT ?`, limit)
	if err != nil {
		return nil, 0, fmt.Errorf("list people: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var p Person
		var created, login sql.NullTime
		if err := rows.Scan(&p.Username, &p.Contact, &p.Sponsor, &created, &login); err != nil {
			return nil, 0, fmt.Errorf("list people: %w", err)
		}
		p.Guest = !govwifi.Contact(p.Contact).Equal(govwifi.Contact(p.Sponsor))
		p.Contact, p.Sponsor = govwifi.Mask(p.Contact), govwifi.Mask(p.Sponsor)
		p.Created, p.LastLogin = created.Time, login.Time
		people = append(people, p)
	}
	return people, total, rows.Err()
}
