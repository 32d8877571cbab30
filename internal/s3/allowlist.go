package s3

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// How the allow-list is kept up to date:
//
//	list at hand   S3 asked             meanwhile
//	yes            once a minute        the old list, after patience
//	none yet       every 5 s at most    wait for S3, or the last error at once
const (
	refreshEvery = time.Minute
	retryEvery   = 5 * time.Second
	// patience is how long a refresh may hold people up who could have the old list.
	// It is not zero, or the first person of the morning would be judged by last
	// night's list.
	patience = time.Second
	// refreshTimeout bounds asking S3, its retries included.
	refreshTimeout = 10 * time.Second
	// maxAllowList is the longest object that is taken for a list, in bytes: GovWifi's
	// has some thousand domains of 20 bytes.
	maxAllowList = 4 << 20
)

// AllowListConfig says where the list is. All of it is required.
type AllowListConfig struct {
	// Bucket and Key name the object that the admin application rewrites.
	Bucket, Key string
	// Now is the clock by which the list ages.
	Now func() time.Time
	// Log is told once when the list cannot be refreshed, and once when it can again.
	Log *slog.Logger
}

// AllowList is the sign-up allow-list as the object in S3 last said, safe for any
// number of goroutines. When S3 fails, or the object is empty or does not compile, the
// last good list serves.
type AllowList struct {
	store *Store
	cfg   AllowListConfig

	mu sync.Mutex
	// current is nil until a good list was read.
	current *edition
	// confirmed is when S3 last said that current is what it holds; until then, when
	// the AllowList was made.
	confirmed time.Time
	// asked is when S3 was last asked, zero for never.
	asked time.Time
	// err is why it gave no list, nil if it did.
	err error
	// running is the refresh under way, or nil.
	running *refresh
}

// edition is the list as one version of the object says.
type edition struct {
	list govwifi.AllowList
	etag string
}

// refresh is one question to S3, shared by all who wait for its answer.
type refresh struct {
	// done is closed when the answer has been taken over.
	done chan struct{}
	// late is closed after patience; nil, which is never, if there is no list yet.
	late chan struct{}
}

// NewAllowList makes no request: the list is read when first asked for.
func NewAllowList(store *Store, cfg AllowListConfig) *AllowList {
	return &AllowList{store: store, cfg: cfg, confirmed: cfg.Now()}
}

// Allows says whether the address may sign up by itself. It fails only if there has
// never been a good list, or ctx ends while the first is fetched.
func (l *AllowList) Allows(ctx context.Context, c govwifi.Contact) (bool, error) {
	if r := l.refreshIfDue(ctx); r != nil {
		select {
		case <-r.done:
		case <-r.late:
		case <-ctx.Done():
		}
	}
	l.mu.Lock()
	current, err := l.current, l.err
	l.mu.Unlock()
	if current != nil {
		return current.list.Allows(c), nil
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	return false, fmt.Errorf("no allow-list yet: %w", err)
}

// Age is how long ago S3 last confirmed the list; until it first does, how long it has
// been waited for. S3 is asked only when somebody signs up, so on a quiet night the
// list ages without fault: alert on StaleSince.
func (l *AllowList) Age() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cfg.Now().Sub(l.confirmed)
}

// StaleSince says that S3 gave no list when last asked, and when it last did.
func (l *AllowList) StaleSince() (time.Time, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		return time.Time{}, false
	}
	return l.confirmed, true
}

// refreshIfDue returns the refresh to wait for, nil if none is due.
func (l *AllowList) refreshIfDue(ctx context.Context) *refresh {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, wait := l.cfg.Now(), refreshEvery
	if l.current == nil {
		wait = retryEvery
	}
	if l.running != nil || (!l.asked.IsZero() && now.Sub(l.asked) < wait) {
		return l.running
	}
	r := &refresh{done: make(chan struct{})}
	if l.current != nil {
		r.late = make(chan struct{})
		time.AfterFunc(patience, func() { close(r.late) })
	}
	l.running, l.asked = r, now
	// Others wait for it too, so it must outlive the job that happened to start it.
	go l.refresh(context.WithoutCancel(ctx), r, l.current)
	return r
}

func (l *AllowList) refresh(ctx context.Context, r *refresh, old *edition) {
	defer close(r.done)
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	latest, err := l.fetch(ctx, old)

	l.mu.Lock()
	l.running = nil
	before, since := l.err, l.confirmed
	l.err = err
	if err == nil {
		l.current, l.confirmed = latest, l.asked
	}
	l.mu.Unlock()

	// Without an old list every job's own error says what is wrong.
	switch {
	case err != nil && before == nil && old != nil:
		l.cfg.Log.WarnContext(ctx, "the allow-list cannot be refreshed, the last good one serves", "since", since, "err", err)
	case err == nil && before != nil:
		l.cfg.Log.InfoContext(ctx, "the allow-list is refreshed again", "stale_since", since)
	}
}

// fetch returns the object's latest edition, which is the old one if S3 says so.
func (l *AllowList) fetch(ctx context.Context, old *edition) (*edition, error) {
	input := &awss3.GetObjectInput{Bucket: &l.cfg.Bucket, Key: &l.cfg.Key}
	if old != nil && old.etag != "" {
		input.IfNoneMatch = &old.etag
	}
	answer, err := l.store.general.GetObject(ctx, input)
	switch {
	case err != nil && isNotModified(err):
		return old, nil
	case err != nil:
		return nil, fmt.Errorf("fetch %s from bucket %s: %w", l.cfg.Key, l.cfg.Bucket, explain(err))
	}
	defer func() { _ = answer.Body.Close() }() // it has been read; there is nothing to lose
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAllowList+1))
	if err != nil {
		return nil, fmt.Errorf("read %s from bucket %s: %w", l.cfg.Key, l.cfg.Bucket, err)
	}
	if len(text) > maxAllowList {
		return nil, fmt.Errorf("read %s from bucket %s: over %d bytes is no allow-list", l.cfg.Key, l.cfg.Bucket, maxAllowList)
	}
	list, err := govwifi.ParseAllowList(string(text))
	if err != nil {
		// It may repeat the whole pattern, which has thousands of domains.
		return nil, fmt.Errorf("read %s from bucket %s: %.200s", l.cfg.Key, l.cfg.Bucket, err)
	}
	return &edition{list: list, etag: aws.ToString(answer.ETag)}, nil
}
