package mysql

import (
	"context"
	"crypto/rand"
	"database/sql"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// now is the tests' clock.
var now = time.Date(2026, 2, 3, 4, 5, 6, 700_000_000, time.UTC)

var words = sync.OnceValue(func() govwifi.Words {
	w, err := govwifi.DefaultWords()
	if err != nil {
		panic(err)
	}
	return w
})

func config(at testenv.MySQLDatabase) Config {
	return Config{
		Hostname: at.Host, Name: at.Name, User: at.User, Pass: at.Pass,
		Words: words(), Now: func() time.Time { return now }, Rand: rand.Reader,
	}
}

// open opens the database until the test ends.
func open(t *testing.T, c Config) *DB {
	t.Helper()
	db, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// bundle is an adapter over a migrated database, and that database behind its back.
type bundle struct {
	*DB
	at  testenv.MySQLDatabase
	raw *sql.DB
}

// setup migrates a database in which the statements have been executed before.
func setup(t *testing.T, before ...string) bundle {
	t.Helper()
	at := testenv.MySQL(t)
	b := bundle{DB: open(t, config(at)), at: at, raw: at.Open(t)}
	exec(t, b.raw, before...)
	if err := b.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

func exec(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%.60s: %v", s, err)
		}
	}
}

// query returns the rows' fields, tab between fields, a line each.
func query(t *testing.T, db *sql.DB, q string, args ...any) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), q, args...)
	if err != nil {
		t.Fatalf("%.60s: %v", q, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for rows.Next() {
		fields := make([]sql.NullString, len(columns))
		targets := make([]any, len(columns))
		for i := range fields {
			targets[i] = &fields[i]
		}
		if err := rows.Scan(targets...); err != nil {
			t.Fatal(err)
		}
		texts := make([]string, len(fields))
		for i, f := range fields {
			texts[i] = f.String
			if !f.Valid {
				texts[i] = "NULL"
			}
		}
		lines = append(lines, strings.Join(texts, "\t"))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// await waits until the server works on something that fits the condition, or on
// nothing that does.
func await(t *testing.T, db *sql.DB, condition string, want bool) {
	t.Helper()
	q := "SELECT COUNT(*) > 0 FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND " + condition
	for {
		var is bool
		if err := db.QueryRowContext(t.Context(), q).Scan(&is); err != nil {
			t.Fatal(err)
		}
		if is == want {
			return
		}
	}
}

// together calls f n times at once and returns what all the calls returned.
func together(ctx context.Context, n int, f func(context.Context) (govwifi.User, error)) ([]govwifi.User, error) {
	users, errs := make([]govwifi.User, n), make([]error, n)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			users[i], errs[i] = f(ctx)
		})
	}
	close(start)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return users, err
		}
	}
	return users, nil
}

// zeroesThen is a random source that draws the same username and password for the
// first draws, then goes on with real chance.
func zeroesThen(bytes int64) io.Reader {
	return io.MultiReader(io.LimitReader(zeroes{}, bytes), rand.Reader)
}

type zeroes struct{}

func (zeroes) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// rubyTables is what GovWifi's Ruby service made: three-byte utf8, no survey columns
// yet, narrow notifications, a bookkeeping table of its own.
var rubyTables = []string{
	`CREATE TABLE userdetails (
  username varchar(10) NOT NULL, contact varchar(100) DEFAULT NULL, sponsor varchar(100) DEFAULT NULL,
  password varchar(64) DEFAULT NULL, email varchar(100) DEFAULT NULL, mobile varchar(20) DEFAULT NULL,
  notifications_opt_out tinyint(1) NOT NULL DEFAULT '0', survey_opt_out tinyint(1) NOT NULL DEFAULT '0',
  created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  last_login datetime DEFAULT NULL,
  PRIMARY KEY (username), KEY userdetails_created_at (created_at), KEY userdetails_contact (contact),
  KEY userdetails_last_login (last_login)
) ENGINE=InnoDB DEFAULT CHARSET=utf8`,
	`INSERT INTO userdetails (username, contact, sponsor, password, created_at) VALUES
  ('HEALTH', NULL, NULL, 'GuessWhatThis', '2020-01-01'),
  ('rubyaa', 'Old@x.gov.uk', 'Old@x.gov.uk', 'OldOldOld', '2021-01-01'),
  ('dupbbb', 'twice@x.gov.uk', 'a@x.gov.uk', 'DupDupDup', '2021-01-01'),
  ('dupaaa', 'Twice@x.gov.uk', 'b@x.gov.uk', 'TwoTwoTwo', '2022-01-01')`,
	`CREATE TABLE notifications (
  id varchar(36) NOT NULL, reference varchar(200) DEFAULT NULL, email_address varchar(100) DEFAULT NULL,
  phone_number varchar(20) DEFAULT NULL, type varchar(6) DEFAULT NULL, status varchar(15) DEFAULT NULL,
  template_version varchar(4) DEFAULT NULL, template_id varchar(36) DEFAULT NULL, template_uri varchar(100) DEFAULT NULL,
  body varchar(1024) DEFAULT NULL, subject varchar(100) DEFAULT NULL, created_at timestamp NULL DEFAULT NULL,
  sent_at datetime DEFAULT NULL, completed_at datetime DEFAULT NULL, PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8`,
	`INSERT INTO notifications (id, body) VALUES ('1', 'kept')`,
	`CREATE TABLE schema_migrations (filename varchar(255) NOT NULL, PRIMARY KEY (filename))`,
	`INSERT INTO schema_migrations VALUES ('20180101000000_create_userdetails.rb')`,
}

// laterColumns is what the Ruby service added to its table since.
const laterColumns = `ALTER TABLE userdetails ADD COLUMN signup_survey_sent_at datetime NULL, ADD COLUMN followup_sent_at datetime NULL`
