package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/job"
)

// Client enqueues jobs.
type Client struct {
	rdb   redis.UniversalClient
	asynq *asynq.Client
	seal  *Sealer
	now   func() time.Time
}

// NewClient enqueues over an open connection, which stays the caller's to close. A
// nil sealer leaves payloads in the clear.
func NewClient(rdb redis.UniversalClient, seal *Sealer) *Client {
	return &Client{rdb: rdb, asynq: asynq.NewClientFromRedisClient(rdb), seal: seal, now: time.Now}
}

// Grouped makes a client for many callers at once, who share round trips; and whose jobs
// count only when so many replicas have them too, 0 being none. It lets a caller go as
// soon as its context ends.
func (c *Client) Grouped(replicas int) *Client {
	grouped := *c
	grouped.asynq = asynq.NewClientFromRedisClient(newCommitter(c.rdb, replicas))
	return &grouped
}

// Enqueue returns nil once Redis holds the job, or held one with the same key
// before: a repeated event is no error, and neither is our own job whose reply was
// lost and whose second try met itself. On any other error the job may or may not
// be there; asking again is safe.
func (c *Client) Enqueue(ctx context.Context, j job.Job) error {
	spec := j.Spec()
	payload, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("encode a %s job: %w", spec.Name, err)
	}
	payload, err = c.seal.close(spec.Name, j.Label(), payload)
	if err != nil {
		return fmt.Errorf("seal a %s job: %w", spec.Name, err)
	}
	headers := map[string]string{headerEnqueued: c.now().UTC().Format(time.RFC3339Nano)}
	if trace := job.TraceFrom(ctx); trace != "" {
		headers[headerTrace] = trace
	}
	_, err = c.asynq.EnqueueContext(ctx, asynq.NewTaskWithHeaders(spec.Name, payload, headers),
		asynq.TaskID(j.Key()),
		asynq.Queue(string(spec.Queue)),
		asynq.MaxRetry(maxRetry),
		asynq.Timeout(wholeSeconds(spec.Timeout)+backstop),
		asynq.Retention(remember),
	)
	if err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
		return fmt.Errorf("enqueue a %s job: %s", spec.Name, govwifi.Mask(err.Error()))
	}
	return nil
}

// wholeSeconds rounds up: asynq cuts fractions off, and takes the 0 that may be
// left for half an hour.
func wholeSeconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}

// Ready asks whether Redis can take a job. It writes, since a Redis that is
// read-only, full or short of replicas still answers PING.
func (c *Client) Ready(ctx context.Context) error {
	if err := c.rdb.Set(ctx, "signup:ready", 1, time.Minute).Err(); err != nil {
		return fmt.Errorf("write to Redis: %w", err)
	}
	return nil
}
