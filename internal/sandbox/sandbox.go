// Package sandbox is the whole service in one process, with nothing to install:
// ingest, worker and scheduler as they run in production, on an embedded Redis and
// MySQL, with stand-ins for GOV.UK Notify, S3 and SNS. No production binary links it.
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

	"github.com/govwifi/user-signup/internal/ingest"
	"github.com/govwifi/user-signup/internal/notify/notifytest"
	"github.com/govwifi/user-signup/internal/outside"
	"github.com/govwifi/user-signup/internal/queue"
	"github.com/govwifi/user-signup/internal/s3/s3test"
	"github.com/govwifi/user-signup/internal/scheduler"
	"github.com/govwifi/user-signup/internal/telemetry"
	"github.com/govwifi/user-signup/internal/worker"
)

// Config says where the sandbox listens. Everything is on loopback.
type Config struct {
	// Ingest and Console are the addresses that people use.
	Ingest, Console string
	// Level is the least level that the service logs.
	Level slog.Level
	// Log takes the service's log lines.
	Log io.Writer
}

const (
	token           = "sandbox-bearer-token"
	allowListBucket = "govwifi-sandbox-admin"
	allowListKey    = "signup-allowlist.conf"
	allowList       = `^[A-Za-z0-9\_\+\.'-]+@([a-zA-Z0-9-]+\.)*(gov\.uk|police\.uk)$`
)

// Sandbox is the running service with the world around it.
type Sandbox struct {
	// World posts mails and texts to the service.
	World *outside.World
	// Notify is where the service's messages arrive.
	Notify *notifytest.Server
	// Console is the console's URL.
	Console string

	s3     *s3test.Server
	admins map[string]string
	group  *errgroup.Group
	stop   []func()
}

// Start brings everything up and returns when webhooks are answered. The service
// ends with ctx; then call Wait.
func Start(ctx context.Context, c Config) (*Sandbox, error) {
	s := &Sandbox{admins: map[string]string{}}
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
	redisURL, stopRedis, err := startRedis()
	if err != nil {
		return err
	}
	s.stop = append(s.stop, stopRedis)
	database, stopMySQL, err := startMySQL()
	if err != nil {
		return err
	}
	s.stop = append(s.stop, stopMySQL)
	if err := worker.Migrate(ctx, worker.MigrateConfig{Log: telemetry.LogConfig{Level: slog.LevelError}, Database: database}); err != nil {
		return err
	}
	log := telemetry.LogConfig{Level: c.Level}.NewLogger(c.Log)
	queue.LogTo(log)
	if err := s.startIngest(ctx, c, redisURL, log); err != nil {
		return err
	}
	if err := s.startWorker(ctx, redisURL, database, log); err != nil {
		return err
	}
	if err := s.startScheduler(ctx, redisURL, log); err != nil {
		return err
	}
	return s.startConsole(ctx, c.Console, redisURL)
}

// startOutside starts the stand-ins.
func (s *Sandbox) startOutside() error {
	var err error
	if s.s3, err = s3test.Start("127.0.0.1:0"); err != nil {
		return err
	}
	s.stop = append(s.stop, func() { _ = s.s3.Close() })
	s.s3.Put(allowListBucket, s3test.Object{Key: allowListKey, Body: []byte(allowList)})
	s.Notify = notifytest.New(notifytest.Config{})
	stop, err := s.Notify.Listen("127.0.0.1:0")
	if err != nil {
		return err
	}
	s.stop = append(s.stop, stop)
	s.World, err = outside.New(token, s.s3)
	return err
}

func (s *Sandbox) startIngest(ctx context.Context, c Config, redisURL queue.URL, log *slog.Logger) error {
	public, err := net.Listen("tcp", c.Ingest)
	if err != nil {
		return fmt.Errorf("listen for webhooks: %w (is another sandbox running?)", err)
	}
	admin, err := s.admin("ingest")
	if err != nil {
		return errors.Join(err, public.Close())
	}
	config := ingest.Config{RedisURL: redisURL, Tokens: ingest.Tokens{token}, VerifySNS: true, Topics: []string{outside.Topic},
		Certificate: ingest.CertificateFile{Certificate: s.World.Certificate}}
	s.World.Ingest = "http://" + public.Addr().String()
	s.group.Go(func() error { return ingest.Serve(ctx, config, ingest.Listeners{Public: public, Admin: admin}, log) })
	return nil
}

func (s *Sandbox) startWorker(ctx context.Context, redisURL queue.URL, database worker.Database, log *slog.Logger) error {
	admin, err := s.admin("worker")
	if err != nil {
		return err
	}
	config := worker.Config{
		RedisURL: redisURL, Database: database, Concurrency: 8, ShutdownTimeout: 10 * time.Second,
		Notify: worker.Notify{APIKey: s.Notify.Key(), BaseURL: s.Notify.URL(), MessagesPerMinute: 2400,
			DoNotReply: notifytest.DoNotReplyID, SupportReply: notifytest.SupportReplyID},
		S3: worker.S3{Region: "eu-west-2", MailRegion: "eu-west-1", Endpoint: s.s3.URL, UsePathStyle: true,
			AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey,
			AllowListBucket: allowListBucket, AllowListKey: allowListKey},
		Verdicts: worker.Verdicts{VerdictPolicy: "enforce"},
	}
	s.group.Go(func() error { return worker.Serve(ctx, config, admin, log) })
	return nil
}

func (s *Sandbox) startScheduler(ctx context.Context, redisURL queue.URL, log *slog.Logger) error {
	admin, err := s.admin("scheduler")
	if err != nil {
		return err
	}
	s.group.Go(func() error { return scheduler.Serve(ctx, scheduler.Config{RedisURL: redisURL}, admin, log) })
	return nil
}

// admin opens an admin listener and notes where it is.
func (s *Sandbox) admin(name string) (net.Listener, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the admin of %s: %w", name, err)
	}
	s.admins[name] = "http://" + listener.Addr().String()
	return listener, nil
}
