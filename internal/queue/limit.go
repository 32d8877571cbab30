package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/govwifi/user-signup/internal/job"
)

// ErrFull says that a queue holds as many jobs as it may.
var ErrFull = errors.New("the queue is full (QUEUE_LIMIT)")

// countEvery is how old a queue's length may be. Between two counts each process adds
// what it enqueued itself, so that a queue may exceed its limit by no more than what the
// other processes take in this time, and a webhook costs no further round trip.
const countEvery = time.Second

// Limited refuses jobs while their queue is full, so that a flood fills no memory of
// Redis that its own bookkeeping needs: a full Redis stops the workers too. It is for
// events that others send again; what a worker enqueues is part of an accepted event and
// never refused.
type Limited struct {
	*Client
	limit int64

	mu      sync.Mutex
	lengths map[job.Queue]*length
}

// length is what is known of a queue.
type length struct {
	jobs    int64
	counted time.Time
}

// Limited makes a client for which each queue holds at most so many jobs that wait, run
// or are to be tried again; 0 is no limit. Jobs that are done or archived do not count.
func (c *Client) Limited(limit int) *Limited {
	return &Limited{Client: c, limit: int64(limit), lengths: map[job.Queue]*length{}}
}

// Enqueue is Client's, or ErrFull. An event that was accepted before is no error in a full
// queue either.
func (l *Limited) Enqueue(ctx context.Context, j job.Job) error {
	if l.limit > 0 && l.full(ctx, j.Spec().Queue) {
		missing, err := l.Missing(ctx, []job.Job{j})
		if err != nil || len(missing) == 0 {
			return err
		}
		return fmt.Errorf("enqueue a %s job: %w", j.Spec().Name, ErrFull)
	}
	return l.Client.Enqueue(ctx, j)
}

// full counts when it is time to, and takes one more job down. Where Redis does not answer,
// the queue is not full: enqueuing will say what is wrong.
func (l *Limited) full(ctx context.Context, q job.Queue) bool {
	l.mu.Lock()
	known := l.lengths[q]
	if known == nil {
		known = &length{}
		l.lengths[q] = known
	}
	now := l.now()
	due := now.Sub(known.counted).Abs() >= countEvery
	if due {
		known.counted = now // others need not ask meanwhile
	}
	l.mu.Unlock()
	if due {
		if jobs, err := l.count(ctx, q); err == nil {
			l.mu.Lock()
			known.jobs = jobs
			l.mu.Unlock()
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if known.jobs >= l.limit {
		return true
	}
	known.jobs++
	return false
}

// count is one round trip.
func (l *Limited) count(ctx context.Context, q job.Queue) (int64, error) {
	prefix := queuePrefix(q)
	var counts []*redis.IntCmd
	_, err := l.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		counts = append(counts, p.LLen(ctx, prefix+"pending"), p.LLen(ctx, prefix+"active"),
			p.ZCard(ctx, prefix+"scheduled"), p.ZCard(ctx, prefix+"retry"))
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("count the jobs of the %s queue: %w", q, err)
	}
	jobs := int64(0)
	for _, c := range counts {
		jobs += c.Val()
	}
	return jobs, nil
}
