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
	return slog.New(tracedLines{log.Handler(), from})
}

type tracedLines struct {
	slog.Handler
	from func(context.Context) string
}

// Handle adds the trace.
func (t tracedLines) Handle(ctx context.Context, r slog.Record) error {
	if id := t.from(ctx); id != "" {
		r = r.Clone()
		r.AddAttrs(slog.String(TraceAttr, id))
	}
	return t.Handler.Handle(ctx, r)
}

// WithAttrs keeps the trace.
func (t tracedLines) WithAttrs(attrs []slog.Attr) slog.Handler {
	return tracedLines{t.Handler.WithAttrs(attrs), t.from}
}

// WithGroup keeps the trace, which then lies in the group.
func (t tracedLines) WithGroup(name string) slog.Handler {
	return tracedLines{t.Handler.WithGroup(name), t.from}
}
