// Package ingest is the door: it judges webhooks, turns each into one typed job,
// makes that job durable and answers. It links neither MySQL nor GOV.UK Notify nor
// S3, so nothing of theirs can slow an answer down.
package ingest

import (
	"crypto/x509"
	"errors"
	"os"
	"regexp"
	"strings"

	"github.com/govwifi/user-signup/internal/queue"
	"github.com/govwifi/user-signup/internal/sns"
	"github.com/govwifi/user-signup/internal/telemetry"
)

// Config is ingest's environment (docs/contract.md, section 3).
type Config struct {
	Log telemetry.LogConfig
	// Addr takes webhooks, AdminAddr serves operators.
	Addr      telemetry.Addr `env:"INGEST_ADDR" envDefault:":8080"`
	AdminAddr telemetry.Addr `env:"ADMIN_ADDR" envDefault:":9090"`
	// RedisURL is where jobs are queued.
	RedisURL queue.URL `env:"REDIS_URL,required,notEmpty"`
	// MinReplicas is how many replicas must hold a job before its webhook is
	// answered with 200. At 0 a failover may lose the last moments' events.
	MinReplicas uint `env:"REDIS_MIN_REPLICAS" envDefault:"0"`
	// QueueLimit is how many jobs each queue may hold before events are answered 503
	// and left to their senders; 0 is no limit. At a kilobyte each, the default is
	// what half a gigabyte of Redis bears in one queue.
	QueueLimit uint `env:"QUEUE_LIMIT" envDefault:"500000"`
	// SealKeys keep payloads unreadable in Redis; none leaves them in the clear.
	SealKeys queue.SealKeys `env:"QUEUE_SEAL_KEYS"`
	// Tokens are what GOV.UK Notify may show: one, or two during a rotation.
	Tokens Tokens `env:"GOVNOTIFY_BEARER_TOKEN,required,notEmpty"`
	// VerifySNS checks signature, topic and age of every SNS message. Off, anyone
	// who can reach the service can post mail events: for local stacks only.
	VerifySNS bool `env:"SNS_VERIFY_SIGNATURE" envDefault:"true"`
	// Topics are the ARNs of our own SNS topics; required while VerifySNS is on,
	// since a signature alone proves only that some topic sent the message.
	Topics Topics `env:"SNS_TOPIC_ARNS"`
	// Certificate is used instead of fetching the one that an envelope names, for
	// local stacks and emulators.
	Certificate CertificateFile `env:"SNS_SIGNING_CERT_FILE"`
}

// Check finds what is wrong between variables.
func (c Config) Check() []string {
	if c.VerifySNS && len(c.Topics) == 0 {
		return []string{"SNS_TOPIC_ARNS is not set, but SNS_VERIFY_SIGNATURE is on: name the topics whose messages are ours"}
	}
	return nil
}

// Tokens is a comma list of one or two bearer tokens.
type Tokens []string

// UnmarshalText takes one token, or two while they are being rotated.
func (t *Tokens) UnmarshalText(text []byte) error {
	for _, token := range strings.Split(string(text), ",") {
		token = strings.TrimSpace(token)
		if token == "" {
			return errors.New("holds an empty token")
		}
		*t = append(*t, token)
	}
	if len(*t) > 2 {
		return errors.New("holds more than two tokens; two are enough for a rotation")
	}
	return nil
}

// Topics is a comma list of ARNs.
type Topics []string

// topicARN is arn:aws:sns:region:account:name. Emulators make up regions and accounts.
var topicARN = regexp.MustCompile(`^arn:[a-z-]+:sns:[^:\s]+:[^:\s]+:[^:\s]+$`)

// UnmarshalText takes ARNs of topics, with or without space after a comma: one that no
// message can come from would have every mail refused for good.
func (t *Topics) UnmarshalText(text []byte) error {
	if strings.TrimSpace(string(text)) == "" {
		return nil
	}
	for _, arn := range strings.Split(string(text), ",") {
		arn = strings.TrimSpace(arn)
		*t = append(*t, arn) // also a bad one: Check must not call the variable unset
		if !topicARN.MatchString(arn) {
			return errors.New("holds what is no topic's ARN, such as arn:aws:sns:eu-west-1:123456789012:name")
		}
	}
	return nil
}

// CertificateFile is a certificate read from a PEM file.
type CertificateFile struct{ *x509.Certificate }

// UnmarshalText reads the file with that name.
func (c *CertificateFile) UnmarshalText(name []byte) error {
	if len(name) == 0 {
		return nil
	}
	text, err := os.ReadFile(string(name))
	if err != nil {
		return errors.New("names a file that cannot be read")
	}
	c.Certificate, _, err = sns.ParseCertificate(text)
	if err != nil {
		return errors.New("names a file that holds no certificate in PEM")
	}
	return nil
}
