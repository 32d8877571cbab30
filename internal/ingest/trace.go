package ingest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// traceHeader is where AWS's load balancer puts its id of a request.
const traceHeader = "X-Amzn-Trace-Id"

// traceShape is what such ids are made of: fields like Root=1-67891233-abcdef012345678912345678
// between semicolons. traceID is the part of them that is random.
var (
	traceShape = regexp.MustCompile(`^[A-Za-z0-9=;:_.-]{1,200}$`)
	traceID    = regexp.MustCompile(`\b1-[0-9a-f]{8}-[0-9a-f]{24}\b`)
)

// traceOf is the id that follows a request's event through the service: the load
// balancer's, or one of our own of the same shape. Logs show it whole, so one that
// might hold a phone number is not taken over, nor one with a word that CloudWatch counts.
func traceOf(header http.Header, now time.Time) string {
	if sent := header.Get(traceHeader); traceShape.MatchString(sent) && !strings.Contains(sent, "status=") {
		if rest := traceID.ReplaceAllString(sent, ""); govwifi.Mask(rest) == rest {
			return sent
		}
	}
	random := make([]byte, 12)
	_, _ = rand.Read(random) // never fails: crypto/rand aborts the program instead
	return fmt.Sprintf("Root=1-%08x-%s", now.Unix(), hex.EncodeToString(random))
}
