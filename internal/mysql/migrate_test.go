package mysql

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/testenv"
)

// shape describes columns and indexes, as far as others depend on them.
func shape(t *testing.T, b bundle, table string) string {
	t.Helper()
	return query(t, b.raw, `SELECT column_name, column_type, is_nullable, COALESCE(extra, '') FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name = ? ORDER BY column_name`, table) + "\n" +
		query(t, b.raw, `SELECT column_name, MIN(non_unique) FROM information_schema.statistics
WHERE table_schema = DATABASE() AND table_name = ? GROUP BY column_name ORDER BY column_name`, table)
}

const userShape = `contact	varchar(100)	YES	
contact_key	char(64)	YES	
created_at	timestamp	%NULL	
email	varchar(100)	YES	
followup_sent_at	datetime	YES	
last_login	datetime	YES	
mobile	varchar(20)	YES	
notifications_opt_out	tinyint(1)	NO	
password	varchar(64)	YES	
signup_survey_sent_at	datetime	YES	
sponsor	varchar(100)	YES	
survey_opt_out	tinyint(1)	NO	
updated_at	timestamp	%NULL	on update current_timestamp()
username	varchar(10)	NO	
contact	1
contact_key	0
created_at	1
last_login	1
username	0`

const notificationShape = `body	text	YES	
completed_at	datetime	YES	
created_at	timestamp	YES	
email_address	varchar(100)	YES	
id	varchar(36)	NO	
phone_number	varchar(100)	YES	
reference	varchar(200)	YES	
sent_at	datetime	YES	
status	varchar(20)	YES	
subject	varchar(255)	YES	
template_id	varchar(36)	YES	
template_uri	varchar(255)	YES	
template_version	varchar(10)	YES	
type	varchar(6)	YES	
id	0
reference	1`

func TestMigrate(t *testing.T) {
	t.Parallel()
	noIndexes := strings.ReplaceAll(rubyTables[0], `, KEY userdetails_created_at (created_at), KEY userdetails_contact (contact),
  KEY userdetails_last_login (last_login)`, "")
	otherNames := strings.ReplaceAll(rubyTables[0], "KEY userdetails_", "KEY ")
	noOptOut := strings.ReplaceAll(rubyTables[0], "notifications_opt_out tinyint(1) NOT NULL DEFAULT '0', survey_opt_out tinyint(1) NOT NULL DEFAULT '0',", "")
	tests := []struct {
		name   string
		before []string
		null   string
	}{
		{"empty database", nil, "YES"},
		{"Ruby's tables without later columns", rubyTables, "NO"},
		{"Ruby's tables with later columns", append(rubyTables[:len(rubyTables):len(rubyTables)], laterColumns), "NO"},
		{"one of the later columns", []string{rubyTables[0], "ALTER TABLE userdetails ADD COLUMN followup_sent_at datetime NULL"}, "NO"},
		{"no indexes", []string{noIndexes}, "NO"},
		{"indexes of other names", []string{otherNames}, "NO"},
		{"no opt-outs", []string{noOptOut}, "NO"},
		{"notifications only", rubyTables[2:3], "YES"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, tt.before...)
			if got, want := shape(t, b, "userdetails"), strings.ReplaceAll(userShape, "%NULL", tt.null); got != want {
				t.Errorf("userdetails:\n%s\nwant\n%s", got, want)
			}
			if got := shape(t, b, "notifications"); got != notificationShape {
				t.Errorf("notifications:\n%s\nwant\n%s", got, notificationShape)
			}
			if err := b.CheckSchema(t.Context()); err != nil {
				t.Error(err)
			}
			if err := b.Migrate(t.Context()); err != nil {
				t.Errorf("the second time: %v", err)
			}
			// A lost bookkeeping table must not be a disaster either.
			exec(t, b.raw, "DROP TABLE user_signup_migrations")
			if err := b.Migrate(t.Context()); err != nil {
				t.Errorf("from the start again: %v", err)
			}
			if got, want := shape(t, b, "userdetails"), strings.ReplaceAll(userShape, "%NULL", tt.null); got != want {
				t.Errorf("userdetails afterwards:\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestMigrateKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	b := setup(t, rubyTables...)
	want := "dupaaa\tTwice@x.gov.uk\tb@x.gov.uk\tTwoTwoTwo\t2022-01-01 00:00:00\tNULL\n" +
		"dupbbb\ttwice@x.gov.uk\ta@x.gov.uk\tDupDupDup\t2021-01-01 00:00:00\tNULL\n" +
		"HEALTH\tNULL\tNULL\tGuessWhatThis\t2020-01-01 00:00:00\tNULL\n" +
		"rubyaa\tOld@x.gov.uk\tOld@x.gov.uk\tOldOldOld\t2021-01-01 00:00:00\tNULL"
	got := query(t, b.raw, "SELECT username, contact, sponsor, password, CAST(created_at AS char), contact_key FROM userdetails ORDER BY username")
	if got != want {
		t.Errorf("users:\n%s\nwant\n%s", got, want)
	}
	if got := query(t, b.raw, "SELECT * FROM schema_migrations"); got != "20180101000000_create_userdetails.rb" {
		t.Errorf("the Ruby migrator's table now holds %q", got)
	}
	if got := query(t, b.raw, "SELECT body FROM notifications"); got != "kept" {
		t.Errorf("notifications = %q", got)
	}
}

func TestMigrateNeverNarrows(t *testing.T) {
	t.Parallel()
	b := setup(t, `CREATE TABLE notifications (id varchar(36) NOT NULL PRIMARY KEY, reference varchar(1000), email_address varchar(320),
phone_number text, type varchar(20), status varchar(30), template_version varchar(11), template_id varchar(64), template_uri text,
body mediumtext, subject text, created_at timestamp NULL, sent_at datetime, completed_at datetime)`)
	want := "mediumtext varchar(320) text varchar(1000) varchar(30) text varchar(64) text varchar(11) varchar(20)"
	got := query(t, b.raw, `SELECT GROUP_CONCAT(column_type ORDER BY column_name SEPARATOR ' ') FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name = 'notifications' AND data_type IN ('varchar', 'text', 'mediumtext') AND column_name <> 'id'`)
	if got != want {
		t.Errorf("columns are %s, want %s", got, want)
	}
}

// A table that somebody has widened, but not for all letters, holds all letters afterwards.
func TestMigrateWidensTheAlphabet(t *testing.T) {
	t.Parallel()
	b := setup(t, `CREATE TABLE notifications (id varchar(36) NOT NULL PRIMARY KEY, reference varchar(200), email_address varchar(100),
phone_number varchar(100), type varchar(6), status varchar(20), template_version varchar(10), template_id varchar(36), template_uri varchar(255),
body text, subject varchar(255), created_at timestamp NULL, sent_at datetime, completed_at datetime) DEFAULT CHARSET=utf8`)
	sent := govwifi.Notification{ID: "1", Status: "delivered", Subject: "Hello \U0001F600", Body: "\U0001F600 you", CreatedAt: now}
	if err := b.UpsertNotifications(t.Context(), []govwifi.Notification{sent}); err != nil {
		t.Fatal(err)
	}
	if got := query(t, b.raw, "SELECT subject, body FROM notifications"); got != sent.Subject+"\t"+sent.Body {
		t.Errorf("stored %q", got)
	}
}

// A table of another service's database on the same server is none of our business.
func TestMigrateLooksAtItsOwnDatabaseOnly(t *testing.T) {
	t.Parallel()
	setup(t)
	at := testenv.MySQL(t)
	raw := at.Open(t)
	exec(t, raw, rubyTables[0])
	c := config(at)
	c.User, c.Pass = "root", "" // who sees all databases
	if err := open(t, c).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := query(t, raw, "SELECT COUNT(followup_sent_at), COUNT(contact_key) FROM userdetails"); got != "0\t0" {
		t.Error(got)
	}
}

func TestMigrateAtOnce(t *testing.T) {
	t.Parallel()
	for _, tables := range [][]string{nil, rubyTables} {
		at := testenv.MySQL(t)
		exec(t, at.Open(t), tables...)
		var wg sync.WaitGroup
		for range 8 {
			db := open(t, config(at))
			wg.Go(func() {
				if err := db.Migrate(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
}

func TestMigrateWaitsForAnother(t *testing.T) {
	t.Parallel()
	at := testenv.MySQL(t)
	db := open(t, config(at))
	raw := at.Open(t)
	other, err := raw.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := lock(t.Context(), other, at.Name); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := db.Migrate(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while another migrates: %v, want to wait until the deadline", err)
	}
	if got := query(t, raw, "SHOW TABLES"); got != "" {
		t.Errorf("it made %s meanwhile", got)
	}
	await(t, raw, "info LIKE 'SELECT GET_LOCK%'", false) // what that attempt left behind
	done := make(chan error)
	go func() { done <- db.Migrate(t.Context()) }()
	// Asked for the second time, it has outlasted one wait.
	for range 2 {
		await(t, raw, "info LIKE 'SELECT GET_LOCK%'", true)
		await(t, raw, "info LIKE 'SELECT GET_LOCK%' AND time_ms > 900", true)
		await(t, raw, "info LIKE 'SELECT GET_LOCK%' AND time_ms > 900", false)
	}
	if _, err := other.ExecContext(t.Context(), "DO RELEASE_ALL_LOCKS()"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A job that is using the table holds the change up, and does not end it.
func TestMigrateOutlastsALongTransaction(t *testing.T) {
	t.Parallel()
	at := testenv.MySQL(t)
	raw := at.Open(t)
	exec(t, raw, rubyTables...)
	tx, err := raw.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(t.Context(), "UPDATE userdetails SET last_login = '2026-01-01'"); err != nil {
		t.Fatal(err)
	}
	db := open(t, config(at))
	done := make(chan error)
	go func() { done <- db.Migrate(t.Context()) }()
	await(t, raw, "state LIKE 'Waiting for table metadata lock'", true)
	await(t, raw, "state LIKE 'Waiting for table metadata lock'", false)
	// The change has been refused once and now pauses.
	if got := query(t, raw, "SELECT COUNT(*) FROM userdetails"); got != "4" {
		t.Errorf("others see %s users meanwhile", got)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestCheckSchema(t *testing.T) {
	t.Parallel()
	at := testenv.MySQL(t)
	db := open(t, config(at))
	raw := at.Open(t)
	behind := func(when string) {
		t.Helper()
		err := db.CheckSchema(t.Context())
		if !errors.Is(err, ErrSchemaBehind) || !strings.Contains(err.Error(), "run `worker migrate`") {
			t.Errorf("%s: %v", when, err)
		}
	}
	behind("empty database")
	exec(t, raw, bookkeeping)
	behind("empty bookkeeping")
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := db.CheckSchema(t.Context()); err != nil {
		t.Errorf("after migrating: %v", err)
	}
	exec(t, raw, "INSERT INTO user_signup_migrations (version, name) VALUES (9000, 'of_a_newer_release')")
	if err := db.CheckSchema(t.Context()); err != nil {
		t.Errorf("schema of a newer release: %v", err)
	}
	exec(t, raw, "DELETE FROM user_signup_migrations WHERE version > 1")
	behind("last migrations missing")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.CheckSchema(t.Context()); err == nil || errors.Is(err, ErrSchemaBehind) {
		t.Errorf("unreachable database: %v, want an error that blames no schema", err)
	}
}

func TestMigrationsAreWellFormed(t *testing.T) {
	t.Parallel()
	all := migrations()
	for i, m := range all {
		if m.version != i+1 || len(m.statements) == 0 {
			t.Errorf("%04d_%s: %d statements at place %d", m.version, m.name, len(m.statements), i+1)
		}
		for _, s := range m.statements {
			if !strings.HasPrefix(s.sql, "CREATE TABLE IF NOT EXISTS") && !strings.HasPrefix(s.when, "SELECT COUNT(*)") {
				t.Errorf("%04d_%s: %.60q would fail the second time", m.version, m.name, s.sql)
			}
		}
	}
}
