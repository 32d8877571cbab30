package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
)

type traceKey struct{}

func traceFrom(ctx context.Context) string {
	id, _ := ctx.Value(traceKey{}).(string)
	return id
}

// A trace is on every line of its context, whole, whatever hangs before the logger.
func TestTraced(t *testing.T) {
	t.Parallel()
	const id = "Root=1-67891233-012345678912345678901234"
	ctx := context.WithValue(t.Context(), traceKey{}, id)
	var out bytes.Buffer
	log := Traced(LogConfig{}.NewLogger(&out), traceFrom)
	log.InfoContext(ctx, "queued")
	log.With("with", "x").InfoContext(ctx, "queued")
	log.InfoContext(t.Context(), "nobody's")
	if strings.Count(out.String(), `trace="`+id+`"`) != 2 || strings.Count(out.String(), "trace=") != 2 {
		t.Error(out.String())
	}
}

// In JSON a request's msg stays what CloudWatch's filters read, the trace beside it.
func TestTracedRequestLine(t *testing.T) {
	t.Parallel()
	ctx := context.WithValue(t.Context(), traceKey{}, "Root=1")
	var out bytes.Buffer
	Traced(LogConfig{Format: JSON}.NewLogger(&out), traceFrom).InfoContext(ctx, RequestMessage, "method", "POST", "path", "/x", "status", 200, "duration", "0.0012")
	var line struct{ Msg, Trace string }
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line.Msg != "method=POST path=/x status=200 duration=0.0012" || line.Trace != "Root=1" {
		t.Errorf("%v: %s", err, &out)
	}
}
