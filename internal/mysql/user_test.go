package mysql

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/govwifi/user-signup/internal/govwifi"
)

const john govwifi.Contact = "John.Smith@x.gov.uk"

func create(t *testing.T, db *DB, contact, sponsor govwifi.Contact) govwifi.User {
	t.Helper()
	user, err := db.FindOrCreate(t.Context(), contact, sponsor)
	if err != nil {
		t.Fatalf("FindOrCreate(%s): %v", contact, err)
	}
	return user
}

func TestFindOrCreate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	user := create(t, b.DB, john, "boss@x.gov.uk")
	if !regexp.MustCompile(`^[bcdfghjkmnpqrstvwxyz]{6}$`).MatchString(user.Username) ||
		!regexp.MustCompile(`^([A-Z][a-z]+){3}$`).MatchString(user.Password) {
		t.Errorf("credentials are %s, %s", user.Username, user.Password)
	}
	want := govwifi.User{Username: user.Username, Password: user.Password, Contact: john, Sponsor: "boss@x.gov.uk",
		CreatedAt: now.Truncate(time.Second)}
	if diff := cmp.Diff(want, user); diff != "" {
		t.Error(diff)
	}
	row := strings.Join([]string{user.Username, string(john), "boss@x.gov.uk", user.Password, "NULL", "NULL", "0", "0",
		"2026-02-03 04:05:06", "NULL", "NULL", "NULL"}, "\t")
	if got := query(t, b.raw, `SELECT username, contact, sponsor, password, email, mobile, notifications_opt_out, survey_opt_out,
CAST(created_at AS char), last_login, signup_survey_sent_at, followup_sent_at FROM userdetails`); got != row {
		t.Errorf("row is\n%s\nwant\n%s", got, row)
	}

	exec(t, b.raw, "UPDATE userdetails SET last_login = '2026-03-01'")
	want.LastLogin = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	found, err := b.Find(t.Context(), "JOHN.smith@X.gov.uk")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Error(diff)
	}
	again := create(t, b.DB, "john.smith@x.gov.uk", "another-boss@x.gov.uk")
	if diff := cmp.Diff(want, again); diff != "" {
		t.Errorf("asking again: %s", diff)
	}
}

func TestSession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	created := create(t, b.DB, john, john).CreatedAt
	stamp := query(t, b.raw, "SELECT UNIX_TIMESTAMP(created_at) FROM userdetails")
	if stamp != "1770091506" || created.Unix() != 1770091506 {
		t.Errorf("created at %s, returned %s", stamp, created)
	}
	// Whatever the server's defaults are: RDS's are not strict.
	if got := query(t, b.sql, "SELECT @@time_zone, @@sql_mode, @@character_set_client"); got != "+00:00\tSTRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION\tutf8mb4" {
		t.Errorf("sessions are in %s", got)
	}
}

func TestContactsThatDiffer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	groups := [][]govwifi.Contact{
		{"john@x.gov.uk", "JOHN@X.GOV.UK", "John@x.gov.uk"},
		{"jöhn@x.gov.uk", "JÖHN@x.gov.uk"},
		{"jóhn@x.gov.uk"},
		{"ß@x.gov.uk", "ẞ@x.gov.uk"},
		{"ss@x.gov.uk"},
		{"kelvin@x.gov.uk", "\u212aelvin@x.gov.uk"}, // the Kelvin sign is a K
		{"sam@x.gov.uk", "ſam@x.gov.uk"},
		{"😀@x.gov.uk"}, {"😎@x.gov.uk"},
		{"+447700900000"}, {"+447700900001"},
	}
	usernames := make(map[string]bool)
	for _, contacts := range groups {
		first := create(t, b.DB, contacts[0], contacts[0])
		if usernames[first.Username] {
			t.Errorf("%q has somebody else's credentials", string(contacts[0]))
		}
		usernames[first.Username] = true
		for _, other := range contacts[1:] {
			if user := create(t, b.DB, other, other); user.Username != first.Username {
				t.Errorf("%q and %q have different users", string(contacts[0]), string(other))
			}
		}
	}
	for _, contacts := range groups {
		if user, err := b.Find(t.Context(), contacts[0]); err != nil || user.Contact != contacts[0] {
			t.Errorf("Find(%q) = %q, %v", string(contacts[0]), string(user.Contact), err)
		}
	}
}

// Where a collation tells two letters apart that are one without case, the key alone
// makes one user of them.
func TestContactKeyIsEqualWhereContactsAre(t *testing.T) {
	t.Parallel()
	contacts := []govwifi.Contact{"john@x.uk", "JOHN@X.UK", "jöhn@x.uk", "JÖHN@x.uk", "kate@x.uk", "\u212aate@x.uk",
		"sam@x.uk", "ſam@x.uk", "ß@x.uk", "ẞ@x.uk", "ss@x.uk", "i@x.uk", "İ@x.uk", "ı@x.uk", "σ@x.uk", "ς@x.uk", "Σ@x.uk"}
	for _, a := range contacts {
		for _, b := range contacts {
			if same := contactKey(a) == contactKey(b); same != a.Equal(b) {
				t.Errorf("%q and %q: same key %v, same contact %v", string(a), string(b), same, a.Equal(b))
			}
		}
	}
}

func TestFindNobody(t *testing.T) {
	t.Parallel()
	b := setup(t, rubyTables...)
	for _, contact := range []govwifi.Contact{"nobody@x.gov.uk", "HEALTH", "", "tẅice@x.gov.uk"} {
		if user, err := b.Find(t.Context(), contact); !errors.Is(err, govwifi.ErrNotFound) {
			t.Errorf("Find(%q) = %v, %v", string(contact), user, err)
		}
	}
}

func TestUsersOfRubysTable(t *testing.T) {
	t.Parallel()
	b := setup(t, rubyTables...)
	for _, tt := range []struct{ contact, username string }{
		{"old@x.gov.uk", "rubyaa"},
		{"TWICE@x.gov.uk", "dupaaa"},
	} {
		user := create(t, b.DB, govwifi.Contact(tt.contact), "me@x.gov.uk")
		if found, err := b.Find(t.Context(), govwifi.Contact(tt.contact)); err != nil || found != user || user.Username != tt.username {
			t.Errorf("%s has %q, found %q (%v), want %s", tt.contact, user.Username, found.Username, err, tt.username)
		}
	}
	create(t, b.DB, john, john)
	if got := query(t, b.raw, "SELECT COUNT(*), SUM(password = 'GuessWhatThis' AND contact IS NULL) FROM userdetails"); got != "5\t1" {
		t.Errorf("users and HEALTH users: %s", got)
	}
}

func TestManyMeetTheSameContact(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		before  []string
		contact govwifi.Contact
		rows    string
	}{
		{"new contact", nil, john, "1"},
		{"new contact, table with old duplicates", rubyTables, john, "1"},
		{"old duplicate", rubyTables, "twice@x.gov.uk", "2"},
		{"phone", nil, "+447700900000", "1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, tt.before...)
			// Two workers, each with its own pool.
			workers := []*DB{b.DB, open(t, config(b.at))}
			i := make(chan int, 50)
			for n := range 50 {
				i <- n
			}
			users, err := together(t.Context(), 50, func(ctx context.Context) (govwifi.User, error) {
				n := <-i
				contact := tt.contact
				if n%3 == 0 {
					contact = govwifi.Contact(strings.ToUpper(string(contact)))
				}
				return workers[n%2].FindOrCreate(ctx, contact, contact)
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range users {
				if u.Username != users[0].Username || u.Password != users[0].Password {
					t.Fatalf("some got %s, others %s", users[0].Username, u.Username)
				}
			}
			if n := query(t, b.raw, "SELECT COUNT(*) FROM userdetails WHERE contact = ?", string(tt.contact)); n != tt.rows {
				t.Errorf("%s rows, want %s", n, tt.rows)
			}
		})
	}
}

func TestManyMeetManyContacts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	i := make(chan int, 400)
	for n := range 400 {
		i <- n
	}
	_, err := together(t.Context(), 400, func(ctx context.Context) (govwifi.User, error) {
		contact := govwifi.Contact(strings.Repeat("a", 1+(<-i)%40) + "@x.gov.uk")
		return b.FindOrCreate(ctx, contact, contact)
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := query(t, b.raw, "SELECT COUNT(*), COUNT(DISTINCT contact) FROM userdetails"); n != "40\t40" {
		t.Errorf("rows and contacts: %s", n)
	}
}

func TestTakenUsernamesAreDrawnAgain(t *testing.T) {
	t.Parallel()
	// A draw takes 6 bytes for the username and 6 for the password.
	b := setup(t)
	c := config(b.at)
	c.Rand = zeroesThen(12)
	first := create(t, open(t, c), john, john)
	if first.Username != "bbbbbb" {
		t.Fatalf("zeroes give %s", first.Username)
	}
	exec(t, b.raw, "UPDATE userdetails SET username = 'BBBBBB'")
	c.Rand = zeroesThen(3 * 12)
	second := create(t, open(t, c), "mary@x.gov.uk", "mary@x.gov.uk")
	if strings.EqualFold(second.Username, "bbbbbb") || second.Contact != "mary@x.gov.uk" {
		t.Errorf("mary is %s of %q", second.Username, string(second.Contact))
	}
	c.Rand = zeroes{}
	_, err := open(t, c).FindOrCreate(t.Context(), "max@x.gov.uk", "max@x.gov.uk")
	if err == nil || !strings.Contains(err.Error(), "no free username") {
		t.Errorf("a source that only gives zeroes: %v", err)
	}
}

func TestDeletedUsersGetFreshCredentials(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := create(t, b.DB, john, john)
	exec(t, b.raw, "DELETE FROM userdetails WHERE username = '"+first.Username+"'")
	if _, err := b.Find(t.Context(), john); !errors.Is(err, govwifi.ErrNotFound) {
		t.Errorf("Find after deletion: %v", err)
	}
	second := create(t, b.DB, john, john)
	if second.Username == first.Username || second.Password == first.Password {
		t.Error("the old credentials are back")
	}
}

// Somebody who renames a contact by hand does not know our column.
func TestRenamedContact(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, renamed := range []string{"'johnny@x.gov.uk'", "'jöhn.smith@x.gov.uk'", "NULL"} {
		exec(t, b.raw, "DELETE FROM userdetails")
		first := create(t, b.DB, john, john)
		exec(t, b.raw, "UPDATE userdetails SET updated_at = '2020-01-01', contact = "+renamed)
		second := create(t, b.DB, john, john)
		if second.Username == first.Username {
			t.Errorf("john has the credentials of %s", renamed)
		}
		if again := create(t, b.DB, john, john); again != second {
			t.Errorf("john has %s, then %s", second.Username, again.Username)
		}
		if got := query(t, b.raw, "SELECT COUNT(*), MIN(YEAR(updated_at)) FROM userdetails"); got != "2\t2020" {
			t.Errorf("users, year of the renamed one: %s", got)
		}
	}
}

// The index, not our looking first, is what forbids a second row.
func TestTheIndexForbidsASecondRow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	create(t, b.DB, john, john)
	if _, err := b.create(t.Context(), "JOHN.SMITH@x.gov.uk", john); number(err) != duplicateEntry {
		t.Errorf("a second insert gives %v", err)
	}
	// Other services do not know the key, and may write what they always wrote.
	exec(t, b.raw, "INSERT INTO userdetails (username, contact) VALUES ('a', '"+string(john)+"'), ('b', '"+string(john)+"')")
}

func TestContactsThatCannotBeStored(t *testing.T) {
	t.Parallel()
	long := govwifi.Contact(strings.Repeat("é", 90) + "@x.gov.uk1")
	tests := []struct {
		name             string
		before           []string
		contact, sponsor govwifi.Contact
		want             error
	}{
		{"100 characters", nil, long, long, nil},
		{"101 characters", nil, long + "2", john, govwifi.ErrContactTooLong},
		{"sponsor of 101 characters", nil, john, long + "2", govwifi.ErrContactTooLong},
		{"emoji in three-byte utf8", rubyTables, "😀@x.gov.uk", john, govwifi.ErrNotStorable},
		{"sponsor with emoji in three-byte utf8", rubyTables, john, "😀@x.gov.uk", govwifi.ErrNotStorable},
		{"emoji in latin1", latin1, "😀@x.gov.uk", john, govwifi.ErrNotStorable},
		{"accent in latin1", latin1, "jöhn@x.gov.uk", john, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, tt.before...)
			before := query(t, b.raw, "SELECT COUNT(*) FROM userdetails")
			user, err := b.FindOrCreate(t.Context(), tt.contact, tt.sponsor)
			if !errors.Is(err, tt.want) {
				t.Fatalf("error = %v, want %v", err, tt.want)
			}
			if tt.want != nil {
				if n := query(t, b.raw, "SELECT COUNT(*) FROM userdetails"); n != before {
					t.Errorf("%s rows, were %s", n, before)
				}
				return
			}
			if found, err := b.Find(t.Context(), tt.contact); err != nil || found != user {
				t.Errorf("Find = %v, %v", found, err)
			}
		})
	}
}

var latin1 = []string{strings.ReplaceAll(rubyTables[0], "CHARSET=utf8", "CHARSET=latin1")}
