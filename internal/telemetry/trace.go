package telemetry

import (
	"context"
	"log/slog"
)

// TraceAttr is the attribute that holds the id which one event carries through all
// processes. Like a key it holds no personal data, and is not masked.
const TraceAttr = "trace"

// Traced adds to each line the trace that its context carries, if it carries one. How
// to find it is the caller's, since this package knows no other of the module.
func Traced(log *slog.Logger, from func(context.Context) string) *slog.Logger {
	return WithContext(log, TraceAttr, from)
}

// WithContext adds to each line an attribute that its context knows, where it is not
// empty. The value is not masked if the attribute is KeyAttr or TraceAttr.
func WithContext(log *slog.Logger, attr string, from func(context.Context) string) *slog.Logger {
	return slog.New(contextLines{log.Handler(), attr, from})
}

type contextLines struct {
	slog.Handler
	attr string
	from func(context.Context) string
}

// Handle adds the attribute.
func (t contextLines) Handle(ctx context.Context, r slog.Record) error {
	if id := t.from(ctx); id != "" {
		r = r.Clone()
		r.AddAttrs(slog.String(t.attr, id))
	}
	return t.Handler.Handle(ctx, r)
}

// WithAttrs keeps the attribute.
func (t contextLines) WithAttrs(attrs []slog.Attr) slog.Handler {
	return contextLines{t.Handler.WithAttrs(attrs), t.attr, t.from}
}

// WithGroup keeps the attribute, which then lies in the group.
func (t contextLines) WithGroup(name string) slog.Handler {
	return contextLines{t.Handler.WithGroup(name), t.attr, t.from}
}
