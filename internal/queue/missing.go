package queue

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/govwifi/user-signup/internal/job"
)

// askAtOnce is how many keys are asked for in one round trip.
const askAtOnce = 1000

// Missing returns those of the jobs that Redis does not know, or has forgotten, in their
// order. A job that waits, runs, is archived or has ended less than a day ago is known. It
// looks for asynq's own key of a task, since asynq can be asked for one at a time only.
func (c *Client) Missing(ctx context.Context, jobs []job.Job) ([]job.Job, error) {
	var missing []job.Job
	for len(jobs) > 0 {
		some := jobs[:min(askAtOnce, len(jobs))]
		jobs = jobs[len(some):]
		known := make([]*redis.IntCmd, len(some))
		_, err := c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, j := range some {
				known[i] = p.Exists(ctx, queuePrefix(j.Spec().Queue)+"t:"+j.Key())
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("look for %d jobs: %w", len(some), err)
		}
		for i, j := range some {
			if known[i].Val() == 0 {
				missing = append(missing, j)
			}
		}
	}
	return missing, nil
}
