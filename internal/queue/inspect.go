package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/job"
)

// inspector is asynq's. It sees a queue only if a set names it.
func (c *Client) inspector(ctx context.Context) *asynq.Inspector {
	c.publish(ctx)
	return asynq.NewInspectorFromRedisClient(c.rdb)
}

// task is asynq's account of a job, or ErrGone. The queues are named only where asynq sees
// none: whoever follows many jobs asks for each of them.
func (c *Client) task(ctx context.Context, j job.Job) (*asynq.TaskInfo, error) {
	spec := j.Spec()
	info, err := asynq.NewInspectorFromRedisClient(c.rdb).GetTaskInfo(string(spec.Queue), j.Key())
	if errors.Is(err, asynq.ErrQueueNotFound) {
		info, err = c.inspector(ctx).GetTaskInfo(string(spec.Queue), j.Key())
	}
	switch {
	case errors.Is(err, asynq.ErrTaskNotFound), errors.Is(err, asynq.ErrQueueNotFound):
		return nil, ErrGone
	case err != nil:
		return nil, fmt.Errorf("look up a %s job: %s", spec.Name, govwifi.Mask(err.Error()))
	}
	return info, nil
}

// publish names our queues in that set. asynq's client does so once in a process's life,
// so in a Redis that lost its data meanwhile neither the dashboard nor an inspector would
// see the jobs. A Redis that takes no writes may be inspected all the same.
func (c *Client) publish(ctx context.Context) {
	var names []any
	for _, q := range job.Queues() {
		names = append(names, string(q))
	}
	_ = c.rdb.SAdd(ctx, "asynq:queues", names...).Err()
}

// Measure tells how many jobs are in each state of each queue, and how long the
// oldest pending one has waited. A queue that cannot be read is in the error and
// hides no other; one that was never used is empty. The counts are read one by one
// instead of through asynq's GetQueueInfo, which samples the memory of jobs each
// time, and fails altogether where that is barred or one of them is missing.
func (c *Client) Measure(ctx context.Context, tasks func(queue, state string, n int64), latency func(queue string, d time.Duration)) error {
	c.publish(ctx)
	var errs []error
	for _, q := range job.Queues() {
		if err := c.measure(ctx, string(q), tasks, latency); err != nil {
			errs = append(errs, fmt.Errorf("measure the %s queue: %s", q, govwifi.Mask(err.Error())))
		}
	}
	return errors.Join(errs...)
}

func (c *Client) measure(ctx context.Context, queue string, tasks func(queue, state string, n int64), latency func(queue string, d time.Duration)) error {
	prefix := "asynq:{" + queue + "}:"
	counts := map[string]*redis.IntCmd{}
	var oldest *redis.StringCmd
	_, err := c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, state := range []string{"pending", "active"} {
			counts[state] = p.LLen(ctx, prefix+state)
		}
		for _, state := range []string{"scheduled", "retry", "archived", "completed"} {
			counts[state] = p.ZCard(ctx, prefix+state)
		}
		oldest = p.LIndex(ctx, prefix+"pending", -1)
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	for state, count := range counts {
		tasks(queue, state, count.Val())
	}
	wait, err := c.waited(ctx, queue, oldest.Val())
	if err != nil {
		return err
	}
	latency(queue, wait)
	return nil
}

// waited is how long a pending task has been waiting. One that a worker gave back
// when it stopped has lost the time at which it became pending, and asynq would
// call its wait 0; the time of its enqueuing is known still.
func (c *Client) waited(ctx context.Context, queue, id string) (time.Duration, error) {
	if id == "" {
		return 0, nil
	}
	text, err := c.rdb.HGet(ctx, "asynq:{"+queue+"}:t:"+id, "pending_since").Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return 0, err
	}
	nanos, err := strconv.ParseInt(text, 10, 64)
	if err == nil {
		return max(0, c.now().Sub(time.Unix(0, nanos))), nil
	}
	info, err := asynq.NewInspectorFromRedisClient(c.rdb).GetTaskInfo(queue, id) // Measure has named the queue
	if errors.Is(err, asynq.ErrTaskNotFound) {
		return 0, nil // worked on between the two questions
	}
	if err != nil {
		return 0, err
	}
	enqueued, err := time.Parse(time.RFC3339Nano, info.Headers[headerEnqueued])
	if err != nil {
		return 0, nil // put there by hand
	}
	return max(0, c.now().Sub(enqueued)), nil
}
