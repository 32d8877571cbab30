package job

import "context"

type traceKey struct{}

// WithTrace gives a context the id that follows one event from its webhook to its
// message, in the lines of every process and through every job that comes of it. The
// id holds no personal data: logs show it unmasked.
func WithTrace(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, traceKey{}, id)
}

// TraceFrom returns the context's id, empty if there is none.
func TraceFrom(ctx context.Context) string {
	id, _ := ctx.Value(traceKey{}).(string)
	return id
}
