package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/queue"
	"github.com/govwifi/user-signup/internal/s3"
)

// ErrCheckFailed says that `worker check` found something that does not work. What it is has
// been printed.
var ErrCheckFailed = errors.New("at least one check failed")

// checkTimeout bounds each check: an operator is looking at the screen.
const checkTimeout = 10 * time.Second

// Check tries every dependency and prints a line for each, with what to do about it
// where it fails. It changes nothing but some keys in Redis, which expire.
func Check(ctx context.Context, c Config, out io.Writer) error {
	silent := c.Log.NewLogger(io.Discard)
	queue.LogTo(silent)
	p, err := c.connect(ctx, silent)
	if err != nil {
		return err
	}
	defer p.close()
	r := &checks{out: out}
	if r.try(ctx, "Redis", "check REDIS_URL, and that Redis runs, is not full and may be reached from here", p.jobs.Ready) {
		c.checkReplicas(ctx, r, p.rdb)
	} else {
		r.skip("replicas", "not looked at, as Redis is not there")
	}
	r.try(ctx, "MySQL", "check the DB_ variables, and that the database may be reached from here", func(ctx context.Context) error {
		return p.openDB(ctx, c.Database, nil)
	})
	if p.db == nil {
		r.skip("schema", "not looked at, as MySQL is not there")
	} else {
		r.try(ctx, "schema", "run `worker migrate` once", p.db.CheckSchema)
	}
	r.try(ctx, "Notify", "check NOTIFY_API_KEY, NOTIFY_API_BASE_URL and the clock; in GOV.UK Notify, make the templates that are missing", p.templates)
	r.try(ctx, "allow-list", "check S3_SIGNUP_ALLOWLIST_BUCKET, S3_SIGNUP_ALLOWLIST_OBJECT_KEY, AWS_REGION and the task's role", func(ctx context.Context) error {
		_, err := p.allow.Allows(ctx, "check@example.gov.uk")
		return err
	})
	c.S3.checkBuckets(ctx, r, p.store)
	if r.failed {
		return ErrCheckFailed
	}
	return nil
}

// checks prints the outcomes of checks.
type checks struct {
	out    io.Writer
	failed bool
}

// try prints a line for a check that passes, and two for one that fails: why, and what
// to do about it.
func (r *checks) try(ctx context.Context, name, advice string, check func(context.Context) error) (passed bool) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := check(ctx); err != nil {
		r.failed = true
		_, _ = fmt.Fprintf(r.out, "FAIL  %-16s %v\n      %-16s → %s\n", name, err, "", advice)
		return false
	}
	r.pass(name, "")
	return true
}

// pass prints a check that passes, and what there is to know about it.
func (r *checks) pass(name, note string) { r.print("ok", name, note) }

// skip prints a check that cannot be made because another failed.
func (r *checks) skip(name, note string) { r.print("-", name, note) }

func (r *checks) print(outcome, name, note string) {
	_, _ = fmt.Fprintln(r.out, strings.TrimSpace(fmt.Sprintf("%-5s %-16s %s", outcome, name, note)))
}

// templates asks Notify for its templates, which also proves the key.
func (p *parts) templates(ctx context.Context) error {
	missing, err := p.notify.CheckTemplates(ctx)
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		return nil
	}
	names := make([]string, len(missing))
	for i, t := range missing {
		names[i] = string(t)
	}
	return fmt.Errorf("of the templates that are needed, %d missing: %s", len(missing), strings.Join(names, ", "))
}

// checkReplicas looks whether there are as many replicas as jobs will wait for.
func (c Config) checkReplicas(ctx context.Context, r *checks, rdb queue.Conn) {
	if c.MinReplicas == 0 {
		r.pass("replicas", "REDIS_MIN_REPLICAS is not set: right for one Redis and for MemoryDB; elsewhere a failover may have messages sent twice")
		return
	}
	r.try(ctx, "replicas", "bring the missing replicas back, as ingest answers 503 and nothing is sent until then, or lower REDIS_MIN_REPLICAS on ingest and worker", func(ctx context.Context) error {
		return queue.Replicated(ctx, rdb, int(c.MinReplicas))
	})
}

// checkBuckets looks at the buckets as the jobs that use them do first, but writes
// nothing: what they may write shows only when they do.
func (c S3) checkBuckets(ctx context.Context, r *checks, store *s3.Store) {
	for _, b := range []struct {
		name, variable, bucket, region, unset string
		look                                  func(ctx context.Context, bucket string) error
		// harmless is a fault that does not keep the job from its work.
		harmless error
	}{
		{"metrics-bucket", "S3_METRICS_BUCKET", c.MetricsBucket, "AWS_REGION", "statistics are not stored in S3",
			store.LookForBucket, s3.ErrHidden}, // it only writes
		{"templates-bucket", "S3_NOTIFICATION_TEMPLATES_BUCKET", c.TemplatesBucket, "AWS_REGION", "templates are not backed up",
			store.LookForBucket, govwifi.ErrNotFound}, // it makes the bucket
		{"mail-bucket", "S3_MAIL_BUCKET", c.MailBucket, "S3_MAIL_REGION", "lost mail is not looked for",
			store.LookForMail, nil},
	} {
		if b.bucket == "" {
			r.pass(b.name, b.variable+" is not set: "+b.unset)
			continue
		}
		r.try(ctx, b.name, "check "+b.variable+", "+b.region+" and the task's role", func(ctx context.Context) error {
			err := b.look(ctx, b.bucket)
			if b.harmless != nil && errors.Is(err, b.harmless) {
				return nil
			}
			return err
		})
	}
}
