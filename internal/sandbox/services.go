package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/govwifi/user-signup/internal/ingest"
	"github.com/govwifi/user-signup/internal/notify/notifytest"
	"github.com/govwifi/user-signup/internal/outside"
	"github.com/govwifi/user-signup/internal/queue"
	"github.com/govwifi/user-signup/internal/s3/s3test"
	"github.com/govwifi/user-signup/internal/sandbox/post"
	"github.com/govwifi/user-signup/internal/sandbox/smtpd"
	"github.com/govwifi/user-signup/internal/sandbox/trouble"
	"github.com/govwifi/user-signup/internal/sandbox/year"
	"github.com/govwifi/user-signup/internal/scheduler"
	"github.com/govwifi/user-signup/internal/worker"
)

const (
	token           = "sandbox-bearer-token"
	mailDomain      = "wifi.service.gov.uk"
	allowListBucket = "govwifi-sandbox-admin"
	allowListKey    = "signup-allowlist.conf"
	allowList       = `^[A-Za-z0-9\_\+\.'-]+@([a-zA-Z0-9-]+\.)*(gov\.uk|police\.uk)$`
)

// startOutside starts the stand-ins, and the switches that break them.
func (s *Sandbox) startOutside() (err error) {
	if s.s3, err = s3test.Start("127.0.0.1:0"); err != nil {
		return err
	}
	s.stop = append(s.stop, func() { _ = s.s3.Close() })
	s.s3.Put(allowListBucket, s3test.Object{Key: allowListKey, Body: []byte(allowList)})
	s.s3.CreateBucket(year.Bucket)
	if s.World, err = outside.New(token, s.s3); err != nil {
		return err
	}
	s.Post = post.NewOffice(s.World, s.live.Changed)
	s.Notify = notifytest.New(notifytest.Config{})
	stopNotify, err := s.Notify.Listen("127.0.0.1:0")
	if err != nil {
		return err
	}
	s.trouble = trouble.New(trouble.Parts{Notify: s.Notify, NotifyAddr: hostOf(s.Notify.URL()), StopNotify: stopNotify, S3: s.s3,
		Worker: s.worker, Asked: s.trail.Asked, Changed: s.live.Changed})
	s.stop = append(s.stop, s.trouble.Close)
	return nil
}

func (s *Sandbox) startIngest(ctx context.Context, c Config, redisURL queue.URL) error {
	public, err := net.Listen("tcp", c.Ingest)
	if err != nil {
		return fmt.Errorf("listen for webhooks: %w (is another sandbox running?)", err)
	}
	admin, err := s.admin("ingest")
	if err != nil {
		return errors.Join(err, public.Close())
	}
	config := ingest.Config{RedisURL: redisURL, SealKeys: s.seal, Tokens: ingest.Tokens{token}, VerifySNS: true, Topics: []string{outside.Topic},
		Certificate: ingest.CertificateFile{Certificate: s.World.Certificate}}
	s.World.Ingest = "http://" + public.Addr().String()
	s.group.Go(func() error {
		return ingest.Serve(ctx, config, ingest.Listeners{Public: public, Admin: admin}, s.lines)
	})
	return nil
}

// newSealKey is a random key as QUEUE_SEAL_KEYS has it.
func newSealKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return base64.StdEncoding.EncodeToString(key)
}

// launchWorker starts the worker's process, which waits for begin. It is told to drain
// before the databases and the stand-ins end.
func (s *Sandbox) launchWorker(redis, sealKey string, d worker.Database) error {
	admin, err := s.admin("worker")
	if err != nil {
		return err
	}
	s.worker.admin, s.worker.gone, s.worker.lines = admin, s.workerGone, both{s.trail, relay{s.log.Handler()}}
	s.worker.environment = []string{
		"LOG_LEVEL=debug", "LOG_FORMAT=json", "REDIS_URL=" + redis, "QUEUE_SEAL_KEYS=" + sealKey,
		"DB_HOSTNAME=" + d.Hostname, "DB_NAME=" + d.Name, "DB_USER=" + d.User, "DB_PASS=", "DB_TLS=" + d.TLS,
		"NOTIFY_API_KEY=" + s.Notify.Key(), "NOTIFY_API_BASE_URL=" + s.Notify.URL(),
		"NOTIFY_DO_NOT_REPLY=" + notifytest.DoNotReplyID, "NOTIFY_SUPPORT_REPLY=" + notifytest.SupportReplyID,
		"AWS_REGION=eu-west-2", "AWS_ENDPOINT_URL_S3=" + s.s3.URL, "S3_USE_PATH_STYLE=true",
		"AWS_ACCESS_KEY_ID=" + s3test.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + s3test.SecretAccessKey,
		"S3_SIGNUP_ALLOWLIST_BUCKET=" + allowListBucket, "S3_SIGNUP_ALLOWLIST_OBJECT_KEY=" + allowListKey, "S3_METRICS_BUCKET=" + year.Bucket,
		"WORKER_CONCURRENCY=8", "SHUTDOWN_TIMEOUT=10s",
	}
	s.stop = append(s.stop, func() { _ = admin.Close() }, s.worker.stop)
	return s.worker.launch()
}

// workerGone tells whoever watches the page or the terminal.
func (s *Sandbox) workerGone(at time.Time, how string) {
	s.trail.Killed(at)
	s.log.Warn("the worker is gone: its jobs are kept, and go on once you start it on the page", "ended", how)
}

func (s *Sandbox) startScheduler(ctx context.Context, redisURL queue.URL) error {
	admin, err := s.admin("scheduler")
	if err != nil {
		return err
	}
	s.group.Go(func() error {
		return scheduler.Serve(ctx, scheduler.Config{RedisURL: redisURL, SealKeys: s.seal}, admin, s.lines)
	})
	return nil
}

// startMail takes mail by SMTP, for any mail program.
func (s *Sandbox) startMail(ctx context.Context, addr string) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen for mail: %w (is another sandbox running?)", err)
	}
	s.Mail = listener.Addr().String()
	deliver := func(ctx context.Context, raw []byte, from string, to []string) error {
		letter, err := s.Post.Mail(ctx, raw, from, to)
		if err == nil && letter.Status != 200 {
			err = fmt.Errorf("deliver a mail: the webhook was answered with %d", letter.Status)
		}
		return err
	}
	s.group.Go(func() error { return smtpd.Serve(ctx, listener, smtpd.Config{Domain: mailDomain, Deliver: deliver}) })
	return nil
}

// admin opens an admin listener and notes where it is.
func (s *Sandbox) admin(name string) (*net.TCPListener, error) {
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("listen for the admin of %s: %w", name, err)
	}
	s.admins[name] = "http://" + listener.Addr().String()
	return listener, nil
}

// hostOf is the host and port of a URL of our own.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		panic(err)
	}
	return u.Host
}
