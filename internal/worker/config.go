// Package worker works the queues: it wires each job's handler to the adapters, and
// holds the commands that prepare the ground for it, migrate and check.
package worker

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/mysql"
	"github.com/govwifi/user-signup/internal/notify"
	"github.com/govwifi/user-signup/internal/performance"
	"github.com/govwifi/user-signup/internal/queue"
	"github.com/govwifi/user-signup/internal/s3"
	"github.com/govwifi/user-signup/internal/telemetry"
)

// Config is the worker's environment (docs/contract.md, section 3).
type Config struct {
	Log telemetry.LogConfig
	// AdminAddr serves operators.
	AdminAddr telemetry.Addr `env:"ADMIN_ADDR" envDefault:":9090"`
	// RedisURL is where jobs wait.
	RedisURL queue.URL `env:"REDIS_URL,required,notEmpty"`
	// MinReplicas is how many replicas must know of an attempt before it is made, as
	// ingest waits for them before it says 200. At 0 a failover may have the last
	// moments' messages sent twice.
	MinReplicas uint `env:"REDIS_MIN_REPLICAS" envDefault:"0"`
	// SealKeys open payloads: the first seals, all open.
	SealKeys queue.SealKeys `env:"QUEUE_SEAL_KEYS"`
	Database Database
	Notify   Notify
	S3       S3
	// Performance is where statistics go besides S3; empty means nowhere.
	Performance Performance
	// InactiveMonths is how many calendar months without a login delete a user.
	InactiveMonths Count `env:"INACTIVE_MONTHS" envDefault:"12"`
	// SponsoredInactiveDays is the same for guests, in days.
	SponsoredInactiveDays Count `env:"SPONSORED_INACTIVE_DAYS" envDefault:"90"`
	// Verdicts is what is done about mails whose sender is in doubt.
	Verdicts Verdicts `env:"SES_VERDICTS" envDefault:"enforce"`
	// Words make passwords: a file with a word a line; none means the built-in list.
	Words WordList `env:"WORD_LIST_FILE"`
	// Concurrency is how many jobs of the interactive queue run at once, and of the
	// batch queue as many again.
	Concurrency Count `env:"WORKER_CONCURRENCY" envDefault:"32"`
	// ShutdownTimeout is how long running jobs may go on after SIGTERM. The
	// platform's own grace must be 10 s longer.
	ShutdownTimeout time.Duration `env:"SHUTDOWN_TIMEOUT" envDefault:"25s"`
	// RecoveryPause is 0 for job.RecoveryPause; tests that know that no job is under
	// way are less patient.
	RecoveryPause Pause
}

// Pause is how long a recovery waits.
type Pause time.Duration

// Check finds what the adapters would refuse, without asking anybody.
func (c Config) Check() []string {
	problems := append(c.Database.faults(), c.Notify.faults()...)
	if _, err := s3.Open(context.Background(), c.S3.config()); err != nil {
		problems = append(problems, "AWS_REGION, or what else the AWS SDK reads: "+err.Error())
	}
	if _, err := performance.New(c.Performance.config()); err != nil {
		problems = append(problems, err.Error())
	}
	if c.ShutdownTimeout < 0 {
		problems = append(problems, "SHUTDOWN_TIMEOUT is below zero")
	}
	return problems
}

// Performance is how the Performance Platform is reached.
type Performance struct {
	// URL is empty where there is none; with one, all are needed.
	URL                  string `env:"PERFORMANCE_URL"`
	Dataset              string `env:"PERFORMANCE_DATASET"`
	BearerVolumetrics    string `env:"PERFORMANCE_BEARER_VOLUMETRICS"`
	BearerCompletionRate string `env:"PERFORMANCE_BEARER_COMPLETION_RATE"`
}

func (p Performance) config() performance.Config {
	return performance.Config{URL: p.URL, Dataset: p.Dataset, BearerVolumetrics: p.BearerVolumetrics, BearerCompletionRate: p.BearerCompletionRate}
}

// maintenancePlaces is how many maintenance jobs run at once: each may read a
// whole table.
const maintenancePlaces = 4

// Database is where MySQL is.
type Database struct {
	// Hostname is a host, or host:port.
	Hostname string `env:"DB_HOSTNAME,required,notEmpty"`
	Name     string `env:"DB_NAME,required,notEmpty"`
	User     string `env:"DB_USER,required,notEmpty"`
	Pass     string `env:"DB_PASS,required"`
	// TLS is false, true, skip-verify or preferred, in any case.
	TLS string `env:"DB_TLS" envDefault:"false"`
	// MaxConns is 0 for the default. The sandbox's embedded database needs 1: its
	// unique keys do not hold between concurrent statements.
	MaxConns int
}

func (d Database) config(words govwifi.Words) mysql.Config {
	return mysql.Config{Hostname: d.Hostname, Name: d.Name, User: d.User, Pass: d.Pass, TLS: strings.ToLower(d.TLS), MaxConns: d.MaxConns, Words: words}
}

// faults finds what the driver would refuse; it would repeat the value. What is not set
// is reported as such.
func (d Database) faults() (problems []string) {
	host, port, hasPort := strings.Cut(d.Hostname, ":")
	_, err := netip.ParseAddr(d.Hostname)
	isIPv6 := err == nil || strings.HasPrefix(d.Hostname, "[")
	if _, err := strconv.ParseUint(port, 10, 16); hasPort && !isIPv6 && (host == "" || err != nil) {
		problems = append(problems, "DB_HOSTNAME is neither host nor host:port")
	}
	if !slices.Contains([]string{"", "false", "true", "skip-verify", "preferred"}, strings.ToLower(d.TLS)) {
		problems = append(problems, "DB_TLS is neither false, true, skip-verify nor preferred")
	}
	return problems
}

// Notify is how GOV.UK Notify is reached.
type Notify struct {
	APIKey string `env:"NOTIFY_API_KEY,required,notEmpty"`
	// BaseURL is empty for the public API.
	BaseURL string `env:"NOTIFY_API_BASE_URL"`
	// DoNotReply and SupportReply are ids of reply-to addresses; empty leaves the
	// field out, and Notify uses the service's default.
	DoNotReply   string `env:"NOTIFY_DO_NOT_REPLY"`
	SupportReply string `env:"NOTIFY_SUPPORT_REPLY"`
	// MessagesPerMinute is the budget of all workers together, well below Notify's
	// 3000: at or above it, an empty bucket never fills again. 0 lifts it.
	MessagesPerMinute Budget `env:"NOTIFY_MESSAGES_PER_MINUTE" envDefault:"2400"`
}

// faults finds what the client would refuse, of each variable by itself.
func (n Notify) faults() (problems []string) {
	if err := notify.CheckKey(n.APIKey); err != nil && n.APIKey != "" {
		problems = append(problems, "NOTIFY_API_KEY does not serve: "+err.Error())
	}
	if err := notify.CheckBaseURL(n.BaseURL); err != nil {
		problems = append(problems, "NOTIFY_API_BASE_URL does not serve: "+err.Error())
	}
	return problems
}

// S3 is where objects are. Credentials are found by the AWS SDK.
type S3 struct {
	// Region holds all buckets but the mail's; Endpoint, if set, takes every
	// request instead of AWS.
	Region   string `env:"AWS_REGION"`
	Endpoint string `env:"AWS_ENDPOINT_URL_S3"`
	// AccessKeyID and SecretAccessKey are for the sandbox and tests, which share a
	// process with others; empty leaves credentials to the SDK.
	AccessKeyID, SecretAccessKey string
	AllowListBucket              string `env:"S3_SIGNUP_ALLOWLIST_BUCKET,required,notEmpty"`
	AllowListKey                 string `env:"S3_SIGNUP_ALLOWLIST_OBJECT_KEY,required,notEmpty"`
	// MetricsBucket, TemplatesBucket and MailBucket are for statistics, the backup of
	// templates and the recovery of mail; without one its job says so and is skipped.
	MetricsBucket   string `env:"S3_METRICS_BUCKET"`
	TemplatesBucket string `env:"S3_NOTIFICATION_TEMPLATES_BUCKET"`
	MailBucket      string `env:"S3_MAIL_BUCKET"`
	// MailRegion is where SES puts incoming mail.
	MailRegion   string `env:"S3_MAIL_REGION" envDefault:"eu-west-1"`
	UsePathStyle bool   `env:"S3_USE_PATH_STYLE" envDefault:"false"`
}

func (c S3) config() s3.Config {
	return s3.Config{Region: c.Region, MailRegion: c.MailRegion, UsePathStyle: c.UsePathStyle, Endpoint: c.Endpoint,
		AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey}
}

// Count is a number of something, at least one.
type Count int

// UnmarshalText takes 1 to 1000.
func (c *Count) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 1 || n > 1000 {
		return errors.New("must be a whole number from 1 to 1000")
	}
	*c = Count(n)
	return nil
}

// Budget is a number of messages a minute.
type Budget int

// UnmarshalText takes 0 and more.
func (b *Budget) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 0 {
		return errors.New("must be a whole number, 0 for no limit of our own")
	}
	*b = Budget(n)
	return nil
}

// Verdicts is SES_VERDICTS.
type Verdicts struct{ job.VerdictPolicy }

// UnmarshalText takes enforce, log or off.
func (v *Verdicts) UnmarshalText(text []byte) error {
	switch v.VerdictPolicy = job.VerdictPolicy(text); v.VerdictPolicy {
	case job.EnforceVerdicts, job.LogVerdicts, job.IgnoreVerdicts:
		return nil
	}
	return errors.New("must be enforce, log or off")
}

// WordList is a list of words read from a file.
type WordList struct{ words *govwifi.Words }

// UnmarshalText reads the file with that name.
func (w *WordList) UnmarshalText(name []byte) error {
	if len(name) == 0 {
		return nil
	}
	file, err := os.Open(string(name))
	if err != nil {
		return errors.New("names a file that cannot be read")
	}
	defer func() { _ = file.Close() }()
	words, err := govwifi.ParseWords(file)
	if err != nil {
		return err
	}
	w.words = &words
	return nil
}

// list is the file's words, or the built-in ones.
func (w WordList) list() (govwifi.Words, error) {
	if w.words != nil {
		return *w.words, nil
	}
	return govwifi.DefaultWords()
}
