// Package journeys tests what a person sees: from a webhook through the real ingest
// and worker, on a real Redis and MariaDB, to the message that GOV.UK Notify's
// stand-in accepted.
package journeys

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/ingest"
	"github.com/govwifi/user-signup/internal/notify/notifytest"
	"github.com/govwifi/user-signup/internal/outside"
	"github.com/govwifi/user-signup/internal/queue"
	"github.com/govwifi/user-signup/internal/s3/s3test"
	"github.com/govwifi/user-signup/internal/telemetry"
	"github.com/govwifi/user-signup/internal/testenv"
	"github.com/govwifi/user-signup/internal/worker"
)

const (
	allowListBucket = "admin"
	allowListKey    = "signup-allowlist.conf"
	allowList       = `^[A-Za-z0-9\_\+\.'-]+@([a-zA-Z0-9-]+\.)*(gov\.uk|police\.uk)$`

	signup  = "signup@wifi.service.gov.uk"
	sponsor = "sponsor@wifi.service.gov.uk"
)

// house is the whole service, of one ingest and one worker, and the world around it.
type house struct {
	t        *testing.T
	redis    *testenv.RedisServer
	mysql    testenv.MySQLDatabase
	database worker.Database
	notify   *notifytest.Server
	s3       *s3test.Server
	world    *outside.World
	seal     queue.SealKeys
	log      *lines
	db       *sql.DB
	// patience is how long a test waits for what is to happen.
	patience time.Duration
	// elsewhere is a REDIS_URL other than that of redis, and replicas REDIS_MIN_REPLICAS
	// of ingest and worker.
	elsewhere string
	replicas  uint
	// admins are the addresses of what operators see.
	admins []string
}

func newHouse(t *testing.T) *house {
	t.Helper()
	t.Parallel()
	d := testenv.MySQL(t)
	return furnish(t, d, worker.Database{Hostname: d.Host, Name: d.Name, User: d.User, Pass: d.Pass})
}

// furnish makes a house on a given database; nothing runs in it yet.
func furnish(t *testing.T, d testenv.MySQLDatabase, database worker.Database) *house {
	t.Helper()
	h := &house{t: t, patience: 90 * time.Second, redis: testenv.NewRedisServer(t), mysql: d, database: database,
		notify: notifytest.Start(t, notifytest.Config{}), log: &lines{}, db: d.Open(t)}
	var err error
	if h.s3, err = s3test.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.s3.Close() })
	h.s3.Put(allowListBucket, s3test.Object{Key: allowListKey, Body: []byte(allowList)})
	if h.world, err = outside.New("a-bearer-token", h.s3); err != nil {
		t.Fatal(err)
	}
	migrate := worker.MigrateConfig{Log: telemetry.LogConfig{Level: slog.LevelError}, Database: database}
	if err := worker.Migrate(t.Context(), migrate); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) logger() *slog.Logger {
	return telemetry.LogConfig{Level: slog.LevelDebug}.NewLogger(h.log)
}

func (h *house) redisURL() queue.URL {
	h.t.Helper()
	var u queue.URL
	if err := u.UnmarshalText([]byte(cmp.Or(h.elsewhere, h.redis.URL))); err != nil {
		h.t.Fatal(err)
	}
	return u
}

// rdb looks into Redis behind the service's back.
func (h *house) rdb() queue.Conn {
	rdb := h.redisURL().Connect(queue.Patient)
	h.t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// open starts ingest.
func (h *house) open() *house {
	h.t.Helper()
	public, admin := listen(h.t), listen(h.t)
	h.world.Ingest = "http://" + public.Addr().String()
	h.admins = append(h.admins, admin.Addr().String())
	config := ingest.Config{RedisURL: h.redisURL(), MinReplicas: h.replicas, SealKeys: h.seal, Tokens: ingest.Tokens{h.world.Token}, VerifySNS: true,
		Topics: []string{outside.Topic}, Certificate: ingest.CertificateFile{Certificate: h.world.Certificate}}
	h.serve(func(ctx context.Context) error {
		return ingest.Serve(ctx, config, ingest.Listeners{Public: public, Admin: admin}, h.logger())
	})
	return h
}

// work starts a worker.
func (h *house) work() *house {
	h.t.Helper()
	admin := listen(h.t)
	h.admins = append(h.admins, admin.Addr().String())
	config := worker.Config{
		RedisURL: h.redisURL(), MinReplicas: h.replicas, SealKeys: h.seal, Database: h.database, Concurrency: 8, ShutdownTimeout: 5 * time.Second,
		Notify: worker.Notify{APIKey: h.notify.Key(), BaseURL: h.notify.URL(), DoNotReply: notifytest.DoNotReplyID},
		S3: worker.S3{Region: "eu-west-2", MailRegion: "eu-west-1", Endpoint: h.s3.URL, UsePathStyle: true,
			AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey,
			AllowListBucket: allowListBucket, AllowListKey: allowListKey, MailBucket: outside.MailBucket},
		Verdicts: worker.Verdicts{VerdictPolicy: "enforce"},
		// Above what Notify's stand-in takes for an answer here.
		RecoveryPause: worker.Pause(3 * time.Second),
	}
	h.serve(func(ctx context.Context) error { return worker.Serve(ctx, config, admin, h.logger()) })
	return h
}

// serve runs until the test ends, and fails the test if it ends badly.
func (h *house) serve(run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	h.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Errorf("serve: %v", err)
		}
	})
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// deliver posts an event and wants it accepted.
func (h *house) deliver(e outside.Event) {
	h.t.Helper()
	if status, err := h.world.Deliver(h.t.Context(), e); status != 200 || err != nil {
		h.t.Fatalf("answered %d, %v", status, err)
	}
}

func (h *house) mail(from, to, text string) outside.Event {
	h.t.Helper()
	e, err := h.world.Mail(outside.PlainMail(from, to, "Hello", text), to, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return e
}

// received waits until Notify has accepted n messages, and returns them all.
func (h *house) received(n int) []notifytest.Accepted {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), h.patience)
	defer cancel()
	got, err := h.notify.Wait(ctx, n)
	if err != nil {
		h.t.Fatalf("%d of %d messages arrived: %v\n%s", len(h.notify.Accepted()), n, err, h.log)
	}
	return got
}

// user reads a row, and fails if the contact has another number of rows than one.
func (h *house) user(contact string) govwifi.User {
	h.t.Helper()
	rows, err := h.db.QueryContext(h.t.Context(), "SELECT username, password, contact, sponsor FROM userdetails WHERE contact = ?", contact)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var users []govwifi.User
	for rows.Next() {
		var u govwifi.User
		if err := rows.Scan(&u.Username, &u.Password, &u.Contact, &u.Sponsor); err != nil {
			h.t.Fatal(err)
		}
		users = append(users, u)
	}
	if err := rows.Err(); err != nil || len(users) != 1 {
		h.t.Fatalf("%d users, %v", len(users), err)
	}
	return users[0]
}

func (h *house) users() int {
	h.t.Helper()
	var n int
	if err := h.db.QueryRowContext(h.t.Context(), "SELECT COUNT(*) FROM userdetails").Scan(&n); err != nil {
		h.t.Fatal(err)
	}
	return n
}

// lines is a log that a test can read.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// await polls a condition that nobody signals.
func (h *house) await(what string, holds func() bool) {
	h.t.Helper()
	deadline := time.Now().Add(h.patience)
	for !holds() {
		if time.Now().After(deadline) {
			h.t.Fatalf("waited in vain for %s\n%s", what, h.log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
