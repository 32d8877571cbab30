package worker

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/govwifi/user-signup/internal/fleet"
	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/mysql"
	"github.com/govwifi/user-signup/internal/notify"
	"github.com/govwifi/user-signup/internal/performance"
	"github.com/govwifi/user-signup/internal/queue"
	"github.com/govwifi/user-signup/internal/s3"
	"github.com/govwifi/user-signup/internal/sponsormail"
	"github.com/govwifi/user-signup/internal/telemetry"
)

// Run works the queues until ctx ends, then drains. It fails at once without Redis
// or MySQL, or on a schema that is behind; S3 and Notify may come later.
func Run(ctx context.Context, c Config) error {
	admin, err := net.Listen("tcp", string(c.AdminAddr))
	if err != nil {
		return fmt.Errorf("listen on ADMIN_ADDR: %w", err)
	}
	log, flush := c.Log.Open(os.Stderr)
	defer flush()
	queue.LogTo(log)
	return Serve(ctx, c, admin, log)
}

// Serve is Run on a listener that is open already; it is closed in the end.
func Serve(ctx context.Context, c Config, admin net.Listener, log *slog.Logger) error {
	defer func() { _ = admin.Close() }()
	log = telemetry.Traced(log, job.TraceFrom)
	parts, err := c.connect(ctx, log)
	if err != nil {
		return err
	}
	defer parts.close()
	if err := parts.openDB(ctx, c.Database, log); err != nil {
		return err
	}
	if err := parts.db.CheckSchema(ctx); err != nil {
		return err
	}
	w := c.worker(parts, log)
	parts.measure(c, w.Names(), log)
	log.Info("the worker takes jobs", "admin", admin.Addr().String(), "concurrency", int(c.Concurrency))

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return w.Run(ctx) })
	group.Go(func() error { return sweeper{parts.tally, parts.jobs, log, time.Now}.run(ctx) })
	group.Go(func() error {
		return telemetry.Admin{Metrics: parts.metrics, Ready: parts.ready}.Serve(ctx, admin)
	})
	err = group.Wait()
	log.Info("the worker has stopped")
	return err
}

// parts are the adapters of one worker.
type parts struct {
	words   govwifi.Words
	rdb     queue.Conn
	jobs    *queue.Client
	db      *mysql.DB
	notify  *notify.Client
	store   *s3.Store
	allow   *s3.AllowList
	guard   *fleet.Guard
	tally   *fleet.Tally
	budget  *fleet.Budget
	metrics telemetry.Metrics
	attempt telemetry.Jobs
	refused telemetry.Refusals
	settled telemetry.Deliveries
	found   telemetry.Recovered
	// platform may be unconfigured, and then skips what it is given.
	platform *performance.Client
}

// connect makes what needs no answer from the other side yet.
func (c Config) connect(ctx context.Context, log *slog.Logger) (*parts, error) {
	metrics := telemetry.NewMetrics()
	p := &parts{metrics: metrics, attempt: metrics.Jobs(), refused: refusals(metrics), settled: metrics.Deliveries(),
		found: metrics.Recovered(job.RecoverTexts{}.Spec().Name, job.RecoverMail{}.Spec().Name)}
	var err error
	if p.words, err = c.Words.list(); err != nil {
		return nil, err
	}
	if p.notify, err = notify.New(c.Notify.config(watched(metrics.Notify()))); err != nil {
		return nil, err
	}
	if p.store, err = s3.Open(ctx, c.S3.config()); err != nil {
		return nil, err
	}
	if p.platform, err = performance.New(c.Performance.config()); err != nil {
		return nil, err
	}
	p.allow = s3.NewAllowList(p.store, s3.AllowListConfig{
		Bucket: c.S3.AllowListBucket, Key: c.S3.AllowListKey, Now: time.Now, Log: log})
	p.rdb = c.RedisURL.Connect(queue.Patient)
	durable := queue.Durable(p.rdb, int(c.MinReplicas))
	p.jobs = queue.NewClient(durable, c.SealKeys.Sealer)
	p.guard = fleet.NewGuard(p.rdb, c.SealKeys.Sealer)
	p.tally = fleet.NewTally(durable, c.SealKeys.Sealer)
	p.budget = fleet.NewBudget(p.rdb, int(c.Notify.MessagesPerMinute))
	return p, nil
}

func (n Notify) config(metrics telemetry.Notify) notify.Config {
	return notify.Config{APIKey: n.APIKey, BaseURL: n.BaseURL, Observe: metrics.Observe,
		ReplyTo: map[govwifi.ReplyTo]string{govwifi.DoNotReply: n.DoNotReply, govwifi.SupportReply: n.SupportReply}}
}

func (p *parts) openDB(ctx context.Context, d Database, log *slog.Logger) (err error) {
	config := d.config(p.words)
	if log != nil {
		config.Log = telemetry.WithContext(log, telemetry.KeyAttr, func(ctx context.Context) string { return job.DeliveryFrom(ctx).Key })
	}
	p.db, err = mysql.Open(ctx, config)
	return err
}

// close gives back what is open, in reverse order.
func (p *parts) close() {
	if p.db != nil {
		_ = p.db.Close()
	}
	_ = p.rdb.Close()
}

// ready says whether jobs can be worked on.
func (p *parts) ready(ctx context.Context) error {
	if err := p.rdb.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("reach Redis: %w", err)
	}
	return p.db.Ping(ctx)
}

// worker registers every job's handler.
func (c Config) worker(p *parts, log *slog.Logger) *queue.Worker {
	w := queue.NewWorker(queue.WorkerConfig{
		Redis: p.rdb, MinReplicas: int(c.MinReplicas), Sealer: c.SealKeys.Sealer, DrainTimeout: c.ShutdownTimeout, Log: log,
		Places: map[job.Queue]int{job.Interactive: int(c.Concurrency), job.Batch: int(c.Concurrency), job.Maintenance: maintenancePlaces},
		Observe: func(ctx context.Context, a queue.Attempt) {
			record(ctx, a, p.attempt, log)
		},
	})
	once := job.Once{Notify: p.notify, Budget: classes{p.budget}}
	text := job.TextAnswerer{Guard: p.guard, Users: p.db, Messages: once, Log: log}
	judge := job.Judge{Verdicts: c.Verdicts.VerdictPolicy, Log: log, Count: p.countRefusal}
	queue.Handle(w, job.SignupEmailHandler{AllowList: p.allow, Users: p.db, Messages: once, Judge: judge, Now: time.Now}.Handle)
	queue.Handle(w, job.SignupSMSHandler{TextAnswerer: text}.Handle)
	queue.Handle(w, job.HelpSMSHandler{TextAnswerer: text}.Handle)
	queue.Handle(w, job.SponsorBatchHandler{AllowList: p.allow, Mail: p.store, Guests: guests, Tally: p.tally, Jobs: announced{p.jobs, log}, Judge: judge}.Handle)
	queue.Handle(w, job.SponsorInviteHandler{Users: p.db, Messages: once, Tally: p.tally, Jobs: announced{p.jobs, log}, Log: log}.Handle)
	queue.Handle(w, job.SponsorReceiptHandler{Tally: p.tally, Messages: once}.Handle)
	c.maintenance(w, p, once, log)
	c.recovery(w, p, log)
	queue.Handle(w, job.RecordDeliveryHandler{Store: p.db, Templates: p.notify, Count: p.settled.Observe, Log: log}.Handle)
	return w
}

// refusals starts each count at 0 for the jobs that a mail can become.
func refusals(metrics telemetry.Metrics) telemetry.Refusals {
	var reasons []string
	for _, why := range govwifi.Refusals() {
		reasons = append(reasons, string(why))
	}
	return metrics.Refusals([]string{job.SignupEmail{}.Spec().Name, job.SponsorBatch{}.Spec().Name}, reasons)
}

func (p *parts) countRefusal(jobName string, why govwifi.Refusal) {
	p.refused.Count(jobName, string(why))
}

// announced writes a line (debug) for each job that comes of another, as ingest does for
// each that comes of a webhook: a batch's guests can be followed from the moment they wait.
type announced struct {
	*queue.Client
	log *slog.Logger
}

// Enqueue is the client's own, with the line.
func (a announced) Enqueue(ctx context.Context, j job.Job) error {
	if err := a.Client.Enqueue(ctx, j); err != nil {
		return err
	}
	a.log.DebugContext(ctx, "queued", "job", j.Spec().Name, telemetry.KeyAttr, j.Key(), "about", j.Label())
	return nil
}

// classes gives each queue its class of the message budget.
type classes struct{ *fleet.Budget }

// Take asks for a message of the queue's class.
func (c classes) Take(ctx context.Context, q job.Queue) (time.Duration, error) {
	return c.Budget.Take(ctx, fleet.Class(q))
}

func guests(mail io.Reader, sponsor govwifi.Contact) (guests []govwifi.Contact, froms int, err error) {
	return sponsormail.Extract(mail, sponsor, nil)
}

// record writes the one line that each attempt gets, and counts it. A retry is a
// warning only once it is no hiccup any more.
func record(ctx context.Context, a queue.Attempt, metrics telemetry.Jobs, log *slog.Logger) {
	metrics.Observe(a.Job, string(a.Outcome), a.Duration)
	if a.Number == 1 && !a.Free {
		metrics.Waited(string(a.Queue), a.Wait)
	}
	level := slog.LevelInfo
	switch {
	case a.Outcome == queue.Archived:
		level = slog.LevelError
	case a.Outcome == queue.Retried && a.Number > 1:
		level = slog.LevelWarn
	}
	attrs := []any{"job", a.Job, telemetry.KeyAttr, a.Key, "attempt", a.Number, "outcome", string(a.Outcome),
		"wait", a.Wait.Round(time.Millisecond), "duration", a.Duration.Round(time.Microsecond)}
	if a.Err != nil {
		attrs = append(attrs, "err", a.Err)
	}
	log.Log(ctx, level, "job", attrs...)
}
