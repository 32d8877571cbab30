package govwifi

import (
	"fmt"
	"log/slog"
	"time"
)

// User is one person's row in userdetails.
type User struct {
	// Username is six lower-case letters, unique without regard to case.
	Username string
	// Password is three capitalised words in plain text, as RADIUS needs it.
	Password string
	// Contact is where the credentials are sent: one contact, one user.
	Contact Contact
	// Sponsor is the contact itself for a self-signup, the sponsor's address
	// for a guest.
	Sponsor Contact
	// CreatedAt is when the user first asked, in UTC.
	CreatedAt time.Time
	// LastLogin is the day of the last login at 00:00 UTC, zero for never.
	LastLogin time.Time
}

// LastActivity is the last login or, for who never logged in, the sign-up.
func (u User) LastActivity() time.Time {
	if u.LastLogin.IsZero() {
		return u.CreatedAt
	}
	return u.LastLogin
}

// GuestLifetime is how long after the last activity a guest whose own address is
// not on the allow-list is still reminded of the credentials (docs/rules.md,
// Email sign-up).
const GuestLifetime = 90 * 24 * time.Hour

// String shows no credentials.
func (u User) String() string { return fmt.Sprintf("user of %s", u.Contact) }

// GoString shows no credentials.
func (u User) GoString() string { return u.String() }

// LogValue shows no credentials.
func (u User) LogValue() slog.Value { return slog.StringValue(u.String()) }
