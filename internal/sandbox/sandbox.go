// Package sandbox is the whole service at one command, with nothing to install: ingest,
// worker and scheduler as they run in production, on an embedded Redis and MySQL, with
// stand-ins for GOV.UK Notify, S3 and SNS. No production binary links it.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/govwifi/user-signup/internal/notify/notifytest"
	"github.com/govwifi/user-signup/internal/outside"
	"github.com/govwifi/user-signup/internal/queue"
	"github.com/govwifi/user-signup/internal/s3/s3test"
	"github.com/govwifi/user-signup/internal/sandbox/console"
	"github.com/govwifi/user-signup/internal/sandbox/people"
	"github.com/govwifi/user-signup/internal/sandbox/post"
	"github.com/govwifi/user-signup/internal/sandbox/trail"
	"github.com/govwifi/user-signup/internal/sandbox/trouble"
	"github.com/govwifi/user-signup/internal/sandbox/wifi"
	"github.com/govwifi/user-signup/internal/sandbox/year"
	"github.com/govwifi/user-signup/internal/telemetry"
	"github.com/govwifi/user-signup/internal/worker"
)

// Config says where the sandbox listens. Everything is on loopback.
type Config struct {
	// Ingest, Console and Mail are the addresses that people use: webhooks, the page,
	// and SMTP.
	Ingest, Console, Mail string
	// Level is the least level that is written to Log.
	Level slog.Level
	// Log takes the service's log lines.
	Log io.Writer
}

// Sandbox is the running service with the world around it.
type Sandbox struct {
	// World posts mails and texts to the service.
	World *outside.World
	// Post is how people write to it.
	Post *post.Office
	// Notify is where the service's messages arrive.
	Notify *notifytest.Server
	// Console is the console's URL, Mail the address of its SMTP server.
	Console, Mail string

	live    *console.Live
	trail   *trail.Trail
	s3      *s3test.Server
	trouble *trouble.Switches
	worker  *workerProcess
	admins  map[string]string
	log     *slog.Logger
	// lines is the service's log as the trail reads it, and Config.Log besides.
	lines *slog.Logger
	// seal keeps payloads unreadable in Redis, as in production; it ends with the
	// sandbox, as Redis does.
	seal  queue.SealKeys
	group *errgroup.Group
	stop  []func()
}

// Start brings everything up and returns when webhooks are answered. The service
// ends with ctx; then call Wait.
func Start(ctx context.Context, c Config) (*Sandbox, error) {
	s := &Sandbox{admins: map[string]string{}, live: console.NewLive(), worker: &workerProcess{}}
	s.trail = trail.New(s.live.Changed)
	s.log = telemetry.LogConfig{Level: c.Level}.NewLogger(c.Log)
	forTrail := telemetry.LogConfig{Level: slog.LevelDebug, Format: telemetry.JSON}.NewLogger(s.trail)
	s.lines = slog.New(slog.NewMultiHandler(s.log.Handler(), forTrail.Handler()))
	s.group, ctx = errgroup.WithContext(ctx)
	if err := s.start(ctx, c); err != nil {
		s.close()
		return nil, fmt.Errorf("start the sandbox: %w", err)
	}
	return s, nil
}

// Wait returns when the service has drained.
func (s *Sandbox) Wait() error {
	defer s.close()
	return s.group.Wait()
}

func (s *Sandbox) close() {
	for i := len(s.stop) - 1; i >= 0; i-- {
		s.stop[i]()
	}
	s.stop = nil
}

func (s *Sandbox) start(ctx context.Context, c Config) error {
	if err := s.startOutside(); err != nil {
		return err
	}
	redisURL, redisText, stopRedis, err := startRedis()
	if err != nil {
		return err
	}
	s.stop = append(s.stop, stopRedis)
	database, stopMySQL, err := startMySQL()
	if err != nil {
		return err
	}
	s.stop = append(s.stop, stopMySQL)
	sealKey := newSealKey()
	if err := s.seal.UnmarshalText([]byte(sealKey)); err != nil {
		return fmt.Errorf("read our own seal key: %w", err)
	}
	// The worker's process takes a while to come up, so it begins to before its
	// schema is there.
	if err := s.launchWorker(redisText, sealKey, database); err != nil {
		return err
	}
	if err := worker.Migrate(ctx, worker.MigrateConfig{Log: telemetry.LogConfig{Level: slog.LevelError}, Database: database}); err != nil {
		return err
	}
	queue.LogTo(s.log)
	if err := errors.Join(s.worker.begin(), s.startIngest(ctx, c, redisURL), s.startScheduler(ctx, redisURL), s.startMail(ctx, c.Mail)); err != nil {
		return err
	}
	s.group.Go(func() error { return s.watchNotify(ctx) })
	return s.startConsole(ctx, c.Console, redisURL, database)
}

// startConsole opens the page, and what only the page needs.
func (s *Sandbox) startConsole(ctx context.Context, addr string, redisURL queue.URL, database worker.Database) error {
	table, err := people.Open(database.Hostname, database.Name)
	if err != nil {
		return err
	}
	s.stop = append(s.stop, func() { _ = table.Close() })
	radius, err := wifi.Listen("127.0.0.1:0", table, s.log)
	if err != nil {
		return err
	}
	s.group.Go(func() error { return radius.Serve(ctx) })
	rdb := redisURL.Connect(queue.Patient)
	s.stop = append(s.stop, func() { _ = rdb.Close() })
	jobs := queue.NewClient(rdb, s.seal.Sealer)
	figures := year.New(year.Config{Table: table, Jobs: jobs, Objects: s.s3, Today: time.Now().UTC().Truncate(24 * time.Hour), Changed: s.live.Changed})
	s.group.Go(func() error { return figures.Run(ctx) })
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen for the console: %w (is another sandbox running?)", err)
	}
	s.Console = "http://" + listener.Addr().String()
	page := console.New(console.Config{Live: s.live, Post: s.Post, Trail: s.trail, Notify: s.Notify, Jobs: jobs, Redis: redisURL,
		Trouble: s.trouble, People: table, Wifi: radius, Year: figures, Ingest: s.World.Ingest, Mail: s.Mail, Admins: s.admins, Log: s.log})
	s.stop = append(s.stop, page.Close)
	s.group.Go(func() error { return page.Serve(ctx, listener) })
	return nil
}

// watchNotify tells the trail of each message that GOV.UK Notify accepts.
func (s *Sandbox) watchNotify(ctx context.Context) error {
	for seen := 0; ; {
		accepted, err := s.Notify.Wait(ctx, seen+1)
		if err != nil {
			return nil // the end: nobody else waits
		}
		for _, m := range accepted[seen:] {
			s.trail.Accepted(m.Reference, m.Template, m.To, m.At)
		}
		seen = len(accepted)
		s.live.Changed()
	}
}
