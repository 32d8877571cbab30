package mysql

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// maxDraws bounds the search for a free username: 64 million are possible, so ten
// taken ones in a row mean that something else is wrong.
const maxDraws = 10

// Find returns the user of a contact, whatever the letter case, or
// govwifi.ErrNotFound. Of duplicates from earlier days it is always the one with
// the lowest username: that is whom GovWifi's Ruby service has been answering with,
// since its LIMIT 1 walks the index on contact, which InnoDB keeps in that order.
func (d *DB) Find(ctx context.Context, contact govwifi.Contact) (govwifi.User, error) {
	user, err := retry(ctx, func() (govwifi.User, error) { return d.find(ctx, contact) })
	if err != nil {
		return govwifi.User{}, fmt.Errorf("find user: %w", err)
	}
	return user, nil
}

// FindOrCreate returns the user of a contact and creates one if there is none,
// committed before it returns. However many ask at once, there is one row and all
// are given it (docs/decisions/0012-one-user-per-contact.md). An existing user
// keeps its sponsor.
//
// A contact or sponsor that fits no column gives govwifi.ErrContactTooLong or
// govwifi.ErrNotStorable, which last; any other error may be retried.
func (d *DB) FindOrCreate(ctx context.Context, contact, sponsor govwifi.Contact) (govwifi.User, error) {
	if err := contact.Storable(); err != nil {
		return govwifi.User{}, err
	}
	user, err := retry(ctx, func() (govwifi.User, error) { return d.findOrCreate(ctx, contact, sponsor) })
	if err != nil {
		return govwifi.User{}, fmt.Errorf("find or create user: %w", err)
	}
	return user, nil
}

// findOrCreate takes one round trip for a user who exists, two for a new one.
// A duplicate key says that the username or the contact is taken, and not reliably
// which: so it looks, rather than read the message.
func (d *DB) findOrCreate(ctx context.Context, contact, sponsor govwifi.Contact) (govwifi.User, error) {
	user, err := d.find(ctx, contact)
	line := "user found"
	for draw := 0; errors.Is(err, govwifi.ErrNotFound); draw++ {
		if draw == maxDraws {
			return govwifi.User{}, fmt.Errorf("no free username in %d draws", maxDraws)
		}
		line = "user created"
		user, err = d.create(ctx, contact, sponsor)
		if number(err) == duplicateEntry {
			line = "user found"
			user, err = d.claimant(ctx, contact)
		}
	}
	if err == nil {
		d.log.DebugContext(ctx, line)
	}
	return user, err
}

const selectUser = `SELECT username, COALESCE(contact, ''), COALESCE(password, ''), COALESCE(sponsor, ''), created_at, last_login
FROM userdetails `

// find asks by the index on contact. The collation says more contacts equal than
// are (john@ and jöhn@): Contact.Equal decides.
func (d *DB) find(ctx context.Context, contact govwifi.Contact) (govwifi.User, error) {
	rows, err := d.sql.QueryContext(ctx, selectUser+"WHERE contact = ? ORDER BY username", string(contact))
	if err != nil {
		return govwifi.User{}, contactError(err)
	}
	defer rows.Close()
	for rows.Next() {
		user, err := scanUser(rows)
		if err != nil {
			return govwifi.User{}, err
		}
		if user.Contact.Equal(contact) {
			return user, nil
		}
	}
	if err := rows.Err(); err != nil {
		return govwifi.User{}, contactError(err)
	}
	return govwifi.User{}, govwifi.ErrNotFound
}

// scanUser reads a row of selectUser.
func scanUser(row interface{ Scan(...any) error }) (govwifi.User, error) {
	var (
		user             govwifi.User
		contact, sponsor string
		created, login   sql.NullTime
	)
	if err := row.Scan(&user.Username, &contact, &user.Password, &sponsor, &created, &login); err != nil {
		return govwifi.User{}, err
	}
	user.Contact, user.Sponsor = govwifi.Contact(contact), govwifi.Contact(sponsor)
	user.CreatedAt, user.LastLogin = created.Time, login.Time
	return user, nil
}

// create inserts a new user. A duplicate entry is returned as the server gave it.
func (d *DB) create(ctx context.Context, contact, sponsor govwifi.Contact) (govwifi.User, error) {
	if err := sponsor.Storable(); err != nil {
		return govwifi.User{}, fmt.Errorf("store sponsor: %w", err)
	}
	username, err := govwifi.NewUsername(d.random)
	if err != nil {
		return govwifi.User{}, err
	}
	password, err := d.words.NewPassword(d.random)
	if err != nil {
		return govwifi.User{}, err
	}
	user := govwifi.User{
		Username: username, Password: password, Contact: contact, Sponsor: sponsor,
		// The column holds whole seconds, which the server would round, even up.
		CreatedAt: d.now().UTC().Truncate(time.Second),
	}
	// email and mobile stay NULL, as the Ruby service leaves them.
	_, err = d.sql.ExecContext(ctx,
		"INSERT INTO userdetails (username, contact, sponsor, password, created_at, contact_key) VALUES (?, ?, ?, ?, ?, ?)",
		user.Username, string(contact), string(sponsor), user.Password, user.CreatedAt, contactKey(contact))
	if err != nil {
		return govwifi.User{}, contactError(err)
	}
	return user, nil
}

// claimant returns the user who holds the contact's key, or govwifi.ErrNotFound if
// nobody does: then the username was taken, or the row is gone again. A row whose
// contact somebody has changed by hand still holds the key of its former contact;
// that claim is void and given up.
func (d *DB) claimant(ctx context.Context, contact govwifi.Contact) (govwifi.User, error) {
	key := contactKey(contact)
	user, err := scanUser(d.sql.QueryRowContext(ctx, selectUser+"WHERE contact_key = ?", key))
	if errors.Is(err, sql.ErrNoRows) {
		return govwifi.User{}, govwifi.ErrNotFound
	}
	if err != nil || user.Contact.Equal(contact) {
		return user, err
	}
	_, err = d.sql.ExecContext(ctx,
		"UPDATE userdetails SET contact_key = NULL, updated_at = updated_at WHERE username = ? AND contact_key = ?",
		user.Username, key)
	if err != nil {
		return govwifi.User{}, err
	}
	return govwifi.User{}, govwifi.ErrNotFound
}

// contactKey is equal for exactly those contacts that Contact.Equal calls equal.
// Hashed, it is plain ASCII of one length, whatever the table's charset is, and no
// second place that shows the address.
func contactKey(contact govwifi.Contact) string {
	folded := strings.Map(smallestFold, string(contact))
	sum := sha256.Sum256([]byte(folded))
	return hex.EncodeToString(sum[:])
}

// smallestFold stands for all letters that differ from r in case only.
func smallestFold(r rune) rune {
	smallest := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		smallest = min(smallest, f)
	}
	return smallest
}

// contactError turns the server's refusal of certain characters into the domain's.
// The server's own words are dropped, since they quote the text.
func contactError(err error) error {
	if isUnstorable(err) {
		return govwifi.ErrNotStorable
	}
	return err
}
