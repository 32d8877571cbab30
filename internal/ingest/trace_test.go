package ingest

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/telemetry"
)

func TestTraceOf(t *testing.T) {
	t.Parallel()
	own := regexp.MustCompile(`^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$`)
	for sent, taken := range map[string]bool{
		"Root=1-67891233-abcdef012345678912345678":                                          true,
		"Self=1-67891234-12456789abcdef0123456789;Root=1-67891233-abcdef012345678912345678": true,
		"abc-123":                true,
		"":                       false,
		"a b":                    false,
		"x\"y":                   false,
		"jo@dept.gov.uk":         false,
		"447700900123":           false,
		"Root=07700900123":       false,
		"Root=1;status=200":      false,
		strings.Repeat("x", 201): false,
	} {
		header := http.Header{}
		header.Set(traceHeader, sent)
		first, second := traceOf(header, noon), traceOf(header, noon)
		if taken && first != sent || !taken && (!own.MatchString(first) || first == second) {
			t.Errorf("%q becomes %q and %q", sent, first, second)
		}
	}
}

// The same id is on the request's line and on that of the job it became.
func TestTraceIsLogged(t *testing.T) {
	h := newHouse(t)
	h.door.Log = telemetry.Traced(h.door.Log, job.TraceFrom)
	h.open()
	h.post(smsPath, goText, "Authorization", "Bearer "+token, traceHeader, "Root=1-67891233-abcdef012345678912345678")
	for _, message := range []string{"msg=queued", "msg=request"} {
		found := false
		for line := range strings.Lines(h.log.String()) {
			found = found || strings.Contains(line, message) && strings.Contains(line, `trace="Root=1-67891233-abcdef012345678912345678"`)
		}
		if !found {
			t.Errorf("no %s with the trace:\n%s", message, h.log)
		}
	}
}
