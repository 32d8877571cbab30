package telemetry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/getsentry/sentry-go"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// SentryDSN says where error lines go besides the log; the zero value is nowhere.
type SentryDSN struct{ dsn string }

// UnmarshalText takes a DSN. Its error does not repeat it: it holds a key.
func (d *SentryDSN) UnmarshalText(text []byte) error {
	if d.dsn = string(text); d.dsn == "" {
		return nil
	}
	if _, err := sentry.NewDsn(d.dsn); err != nil {
		return errors.New("is no Sentry DSN such as https://key@host/project")
	}
	return nil
}

// flushTime is how long a program that ends waits for its last events.
const flushTime = 2 * time.Second

// Open makes a logger that also sends its error lines to Sentry, if SENTRY_DSN is set.
// Call flush before the program ends, or the error that ends it may not arrive. Events
// are sent in the background and dropped when there are too many: neither a webhook
// nor a job waits for Sentry.
func (c LogConfig) Open(w io.Writer) (log *slog.Logger, flush func()) {
	log = c.NewLogger(w)
	if c.SentryDSN.dsn == "" {
		return log, func() {}
	}
	client, err := sentry.NewClient(sentry.ClientOptions{
		Dsn: c.SentryDSN.dsn,
		// The defaults would tell of the machine, list modules and quote source code.
		Integrations:           func([]sentry.Integration) []sentry.Integration { return nil },
		BeforeSend:             withoutMachine,
		DisableTelemetryBuffer: true,
	})
	if err != nil {
		log.Error("Sentry is not told of errors", "err", err)
		return log, func() {}
	}
	lines := newSentryLines(client)
	return slog.New(slog.NewMultiHandler(log.Handler(), lines)), func() { client.Flush(flushTime) }
}

// withoutMachine drops the host's name, which the client adds whatever the options say.
func withoutMachine(event *sentry.Event, _ *sentry.EventHint) *sentry.Event {
	event.ServerName = ""
	return event
}

// sentryLines sends error lines as they stand in the log, masked by the same function.
// An event has nothing else in it: no request, no body, no user.
type sentryLines struct {
	text   slog.Handler
	line   *sharedLine
	client *sentry.Client
}

// sharedLine is where text writes; all handlers derived from one share it.
type sharedLine struct {
	mu sync.Mutex
	bytes.Buffer
}

func newSentryLines(client *sentry.Client) sentryLines {
	line := &sharedLine{}
	options := &slog.HandlerOptions{Level: slog.LevelError, ReplaceAttr: maskAttr}
	return sentryLines{slog.NewTextHandler(line, options), line, client}
}

// Enabled is true of errors alone.
func (s sentryLines) Enabled(ctx context.Context, level slog.Level) bool {
	return s.text.Enabled(ctx, level)
}

// jobAttr is the attribute that holds a job's name.
const jobAttr = "job"

// title is a line's message, and the job that it is about, if there is one: the lines of
// all jobs have the same message.
func title(r slog.Record) string {
	title := r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == jobAttr && a.Value.String() != "" {
			title += " " + a.Value.String()
		}
		return true
	})
	return title
}

// Handle sends the line. Lines with the same title are one issue in Sentry, however
// their details differ.
func (s sentryLines) Handle(ctx context.Context, r slog.Record) error {
	s.line.mu.Lock()
	s.line.Reset()
	err := s.text.Handle(ctx, r)
	line := s.line.String()
	s.line.mu.Unlock()
	if err != nil {
		return err
	}
	event := sentry.NewEvent()
	event.Level = sentry.LevelError
	event.Message = govwifi.Mask(title(r))
	event.Fingerprint = []string{event.Message}
	event.Contexts["log"] = sentry.Context{"line": line}
	s.client.CaptureEvent(event, nil, nil)
	return nil
}

// WithAttrs keeps the attributes for the lines to come.
func (s sentryLines) WithAttrs(attrs []slog.Attr) slog.Handler {
	s.text = s.text.WithAttrs(attrs)
	return s
}

// WithGroup keeps the group for the lines to come.
func (s sentryLines) WithGroup(name string) slog.Handler {
	s.text = s.text.WithGroup(name)
	return s
}
