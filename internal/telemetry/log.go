// Package telemetry is how operators see a binary: a logger that masks personal
// data, metrics, and the admin listener. It imports govwifi for Mask, the one place
// that masks, and nothing else of this module.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// LogConfig is how every binary logs.
type LogConfig struct {
	// Level is the least level that is written: debug, info, warn or error.
	Level slog.Level `env:"LOG_LEVEL" envDefault:"info"`
	// Format is text (logfmt) or json.
	Format Format `env:"LOG_FORMAT" envDefault:"text"`
	// SentryDSN is told of error lines too; see Open.
	SentryDSN SentryDSN `env:"SENTRY_DSN"`
}

// Format is the shape of log lines.
type Format string

// The formats.
const (
	Text Format = "text"
	JSON Format = "json"
)

// UnmarshalText accepts the formats above.
func (f *Format) UnmarshalText(text []byte) error {
	switch *f = Format(text); *f {
	case Text, JSON:
		return nil
	}
	return errors.New("is neither text nor json")
}

// KeyAttr is the attribute that holds a job's key. Keys hold no personal data, and
// masking what looks like a number in one would break the trail from a webhook to
// its message.
const KeyAttr = "key"

// NewLogger writes lines to w, every text in them masked.
func (c LogConfig) NewLogger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.Level, ReplaceAttr: maskAttr}
	if c.Format == JSON {
		return slog.New(jsonLines{slog.NewJSONHandler(w, options)})
	}
	return slog.New(slog.NewTextHandler(w, options))
}

func maskAttr(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		if a.Key == KeyAttr || a.Key == TraceAttr {
			return a
		}
		return slog.String(a.Key, govwifi.Mask(a.Value.String()))
	case slog.KindDuration:
		// JSON's own would be a number of nanoseconds.
		return slog.String(a.Key, a.Value.Duration().String())
	case slog.KindAny:
		if _, isLevel := a.Value.Any().(slog.Level); isLevel {
			return a
		}
		return slog.String(a.Key, govwifi.Mask(fmt.Sprint(a.Value.Any())))
	}
	return a
}

// RequestMessage is the message of the one line that each request gets. GovWifi's
// CloudWatch filters read its attributes as text: method=POST path=… status=200.
const RequestMessage = "request"

// jsonLines writes a request's attributes as that text into msg, where JSON's own
// "status":200 would be counted as a failure (docs/facts.md, D4). Only the trace stays
// a field of its own, as it is on every other line.
type jsonLines struct{ slog.Handler }

// Handle rewrites request lines and passes all others on.
func (j jsonLines) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == RequestMessage {
		var words []string
		var trace []slog.Attr
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == TraceAttr {
				trace = append(trace, a)
				return true
			}
			words = append(words, a.Key+"="+a.Value.String())
			return true
		})
		r = slog.NewRecord(r.Time, r.Level, strings.Join(words, " "), r.PC)
		r.AddAttrs(trace...)
	}
	return j.Handler.Handle(ctx, r)
}

// WithAttrs keeps the rewriting.
func (j jsonLines) WithAttrs(attrs []slog.Attr) slog.Handler {
	return jsonLines{j.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the rewriting.
func (j jsonLines) WithGroup(name string) slog.Handler { return jsonLines{j.Handler.WithGroup(name)} }
