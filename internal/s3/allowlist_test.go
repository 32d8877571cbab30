package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/s3/s3test"
)

const (
	govOnly   = `^[A-Za-z0-9\_\+\.'-]+@([a-zA-Z0-9-]+\.)*(gov\.uk)$`
	andPolice = `^[A-Za-z0-9\_\+\.'-]+@([a-zA-Z0-9-]+\.)*(gov\.uk|police\.uk)$`

	civilServant = govwifi.Contact("Sally@digital.cabinet-office.GOV.UK")
	constable    = govwifi.Contact("bob@met.police.uk")
)

// bundle is an allow-list with everything around it.
type bundle struct {
	t      *testing.T
	list   *AllowList
	server *s3test.Server
	log    *buffer

	mu  sync.Mutex
	now time.Time
}

func newBundle(t *testing.T) *bundle {
	t.Helper()
	store, server := setup(t)
	b := &bundle{t: t, server: server, log: &buffer{}, now: time.Date(2026, 1, 15, 9, 0, 0, 0, time.UTC)}
	server.CreateBucket("admin")
	b.list = NewAllowList(store, AllowListConfig{
		Bucket: "admin", Key: "signup-allowlist.conf", Now: b.clock, Log: slog.New(slog.NewTextHandler(b.log, nil)),
	})
	return b
}

func (b *bundle) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bundle) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

func (b *bundle) publish(text string) {
	b.server.Put("admin", s3test.Object{Key: "signup-allowlist.conf", Body: []byte(text)})
}

// want asserts what the list says of the constable, once a refresh that is due has
// ended: the SDK's retries may take longer than patience.
func (b *bundle) want(allowed bool) {
	b.t.Helper()
	if r := b.list.refreshIfDue(b.t.Context()); r != nil {
		<-r.done
	}
	got, err := b.list.Allows(b.t.Context(), constable)
	if err != nil || got != allowed {
		b.t.Errorf("Allows(constable) = %t, %v, want %t", got, err, allowed)
	}
}

// statuses are S3's answers so far.
func (b *bundle) statuses() string {
	var text []string
	for _, r := range b.server.Requests() {
		text = append(text, fmt.Sprint(r.Status))
	}
	return strings.Join(text, " ")
}

func (b *bundle) wantStatuses(want string) {
	b.t.Helper()
	if got := b.statuses(); got != want {
		b.t.Errorf("S3 answered %q, want %q", got, want)
	}
}

// buffer is a log that may be read while it is written.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestAllowListIsCachedAMinute(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.publish(govOnly)
	b.want(false)
	if ok, err := b.list.Allows(t.Context(), civilServant); err != nil || !ok {
		t.Errorf("Allows(civil servant) = %t, %v", ok, err)
	}
	b.publish(andPolice)
	b.pass(refreshEvery - time.Nanosecond)
	b.want(false)
	b.wantStatuses("200")
	b.pass(time.Nanosecond)
	b.want(true)
	b.wantStatuses("200 200")
	if age := b.list.Age(); age != 0 {
		t.Errorf("a list just fetched is %s old", age)
	}
}

func TestAllowListAsksOnlyForWhatIsNew(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.publish(andPolice)
	b.want(true)
	b.pass(refreshEvery)
	b.want(true)
	b.want(true)
	b.wantStatuses("200 304")
	if age := b.list.Age(); age != 0 {
		t.Errorf("a list just confirmed is %s old", age)
	}
	b.publish(govOnly)
	b.pass(refreshEvery)
	b.want(false)
	b.wantStatuses("200 304 200")
}

func TestAllowListManyFirstCallersOneRequest(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.publish(andPolice)
	b.server.Break(s3test.Fault{Delay: time.Hour})
	var started, done sync.WaitGroup
	for range 100 {
		started.Add(1)
		done.Go(func() {
			started.Done()
			if ok, err := b.list.Allows(t.Context(), constable); !ok || err != nil {
				t.Errorf("Allows(constable) = %t, %v, want true", ok, err)
			}
		})
	}
	started.Wait()
	b.server.Break(s3test.Fault{})
	done.Wait()
	b.wantStatuses("200")
}

// troubles are the ways in which S3 gives no list.
var troubles = map[string]func(b *bundle){
	"S3 is down":    func(b *bundle) { b.server.Break(s3test.Fault{Status: 503, Code: "ServiceUnavailable"}) },
	"hang-up":       func(b *bundle) { b.server.Break(s3test.Fault{HangUp: true}) },
	"cut off":       func(b *bundle) { b.publish(govOnly + b.clock().String()); b.server.Break(s3test.Fault{CutAfter: 10}) },
	"access denied": func(b *bundle) { b.server.Break(s3test.Fault{Status: 403, Code: "AccessDenied"}) },
	"object gone":   func(b *bundle) { b.server.Delete("admin", "signup-allowlist.conf") },
	"empty":         func(b *bundle) { b.publish(" \n") },
	"uncompilable":  func(b *bundle) { b.publish(`^(gov\.uk$`) },
	"far too long":  func(b *bundle) { b.publish(strings.Repeat("x", maxAllowList+1)) },
}

func TestAllowListLastGoodOneServes(t *testing.T) {
	t.Parallel()
	for name, trouble := range troubles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			b.publish(andPolice)
			b.want(true)
			good := b.clock()
			if since, stale := b.list.StaleSince(); stale {
				t.Errorf("a good list is stale since %s", since)
			}
			trouble(b)
			for range 3 {
				b.pass(refreshEvery)
				b.want(true)
				b.want(true)
			}
			if since, stale := b.list.StaleSince(); !stale || !since.Equal(good) {
				t.Errorf("StaleSince() = %s, %t, want %s", since, stale, good)
			}
			if age := b.list.Age(); age != 3*refreshEvery {
				t.Errorf("Age() = %s", age)
			}
			if log := b.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "level=WARN") || !strings.Contains(log, "since=2026-01-15T09:00:00") {
				t.Errorf("want one warning that says since when, logged:\n%s", log)
			}
			b.server.Break(s3test.Fault{})
			b.publish(govOnly)
			b.pass(refreshEvery)
			b.want(false)
			if since, stale := b.list.StaleSince(); stale {
				t.Errorf("a refreshed list is stale since %s", since)
			}
			if log := b.log.String(); strings.Count(log, "\n") != 2 || !strings.Contains(log, "level=INFO") {
				t.Errorf("want one more line that says it is over, logged:\n%s", log)
			}
			trouble(b)
			b.pass(refreshEvery)
			b.want(false)
			if n := strings.Count(b.log.String(), "level=WARN"); n != 2 {
				t.Errorf("a second outage: %d warnings, want 2", n)
			}
		})
	}
}

// Never "everyone", never "nobody": without a list the job waits.
func TestAllowListNoneYet(t *testing.T) {
	t.Parallel()
	for name, trouble := range troubles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			trouble(b)
			fails := func() {
				t.Helper()
				if ok, err := b.list.Allows(t.Context(), constable); ok || err == nil {
					t.Errorf("Allows() = %t, %v", ok, err)
				}
			}
			fails()
			asked := len(b.server.Requests())
			b.pass(retryEvery - time.Nanosecond)
			fails()
			if n := len(b.server.Requests()); n != asked {
				t.Errorf("S3 is asked again at once: %d requests, then %d", asked, n)
			}
			if _, stale := b.list.StaleSince(); !stale {
				t.Error("no list at all is not stale")
			}
			if log := b.log.String(); log != "" {
				t.Errorf("logged what the jobs' errors say:\n%s", log)
			}
			b.server.Break(s3test.Fault{})
			b.publish(andPolice)
			b.pass(time.Nanosecond)
			b.want(true)
		})
	}
}

func TestAllowListErrorIsShort(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.publish("(" + strings.Repeat(`department\.gov\.uk|`, 1000))
	_, err := b.list.Allows(t.Context(), constable)
	if err == nil || len(err.Error()) > 500 || !strings.Contains(err.Error(), "missing closing )") {
		t.Errorf("got %v", err)
	}
}

// S3 that hangs holds up nobody who can have the old list, and the refresh goes on.
func TestAllowListHangingRefresh(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.publish(govOnly)
	b.want(false)
	b.publish(andPolice)
	b.server.Break(s3test.Fault{Delay: time.Hour})
	b.pass(refreshEvery)
	start := time.Now()
	for range 20 {
		if ok, err := b.list.Allows(t.Context(), constable); ok || err != nil {
			t.Errorf("Allows(constable) = %t, %v, want what the old list says", ok, err)
		}
	}
	if took := time.Since(start); took < patience || took > 8*patience {
		t.Errorf("20 people waited %s in all, want %s", took, patience)
	}
	b.server.Break(s3test.Fault{})
	b.want(true)
	b.wantStatuses("200 200")
}

// The job that starts a refresh may end before it; the others still want the list.
func TestAllowListRefreshOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.publish(andPolice)
	b.server.Break(s3test.Fault{Delay: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 {
		if _, err := b.list.Allows(ctx, constable); !errors.Is(err, context.Canceled) {
			t.Errorf("Allows() = %v", err)
		}
		b.pass(retryEvery) // one that takes so long is waited for, not asked again
	}
	running := b.list.refreshIfDue(t.Context())
	b.server.Break(s3test.Fault{})
	<-running.done
	b.want(true)
	b.wantStatuses("200")
}
