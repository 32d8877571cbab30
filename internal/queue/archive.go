package queue

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/govwifi/user-signup/internal/job"
)

// Archive is where jobs lie that were given up.
type Archive struct{ client *Client }

// Archive opens the archive of all queues.
func (c *Client) Archive() Archive { return Archive{c} }

// Purge deletes jobs that were archived before the given time, and says how many:
// their payloads hold contacts, and asynq itself keeps them for 90 days. With its id a
// job also forgets its event, which by then nobody delivers again.
func (a Archive) Purge(ctx context.Context, before time.Time) (deleted int, err error) {
	for _, queue := range job.Queues() {
		// asynq's own listing cannot be cut by time. The score is the time of death.
		keys, err := a.client.rdb.ZRangeByScore(ctx, queuePrefix(queue)+"archived",
			&redis.ZRangeBy{Min: "-inf", Max: "(" + strconv.FormatInt(before.Unix(), 10)}).Result()
		if err != nil {
			return deleted, fmt.Errorf("list the archive of the %s queue: %w", queue, err)
		}
		for _, key := range keys {
			was, err := a.Delete(ctx, GivenUp{Queue: queue, Key: key})
			if err != nil {
				return deleted, err
			}
			if was { // else somebody was quicker
				deleted++
			}
		}
	}
	return deleted, nil
}
