package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/job"
)

// The dashboard's "Schedulers" page reads keys that only asynq's own Scheduler
// writes. That one enqueues once per process and drops what it misses (docs/asynq.md,
// section 4), so ours decides, and the keys are written here as asynq v0.26.0 does
// (internal/rdb, internal/proto). All schedulers share one set of them: a page with
// each job as often as there are processes would look as if it ran as often.
const (
	pageIndex   = "asynq:schedulers"
	pageKey     = "asynq:schedulers:{govwifi-signup}"
	pageHistory = "asynq:scheduler_history:"
	// pageTTL is three of the scheduler's rounds: one that was killed is gone from
	// the page soon.
	pageTTL = 90 * time.Second
	// pageEvents is how many runs of each entry the page remembers, as asynq's.
	pageEvents = 1000
)

// TimetableRow is one row of the dashboard's page.
type TimetableRow struct {
	// Name is the entry's, Cron its schedule.
	Name, Cron string
	// Job is what the next tick will queue. It is shown in the clear: periodic jobs
	// hold a date, no person.
	Job job.Job
	// Next is when; Last is the last tick that was queued, or zero.
	Next, Last time.Time
}

// ShowTimetable puts the rows on the dashboard's page in place of those before, for
// a minute and a half.
func (c *Client) ShowTimetable(ctx context.Context, rows []TimetableRow) error {
	encoded := make([]any, 0, len(rows))
	for _, row := range rows {
		payload, err := json.Marshal(row.Job)
		if err != nil {
			return fmt.Errorf("show %s on the dashboard: %w", row.Name, err)
		}
		encoded = append(encoded, row.encode(payload))
	}
	expires := c.now().Add(pageTTL).Unix()
	_, err := c.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Del(ctx, pageKey)
		if len(encoded) > 0 {
			p.RPush(ctx, pageKey, encoded...)
			p.Expire(ctx, pageKey, pageTTL)
		}
		return nil
	})
	if err == nil {
		// Apart from the list, as in a cluster it lies elsewhere.
		err = c.rdb.ZAdd(ctx, pageIndex, redis.Z{Score: float64(expires), Member: pageKey}).Err()
	}
	if err != nil {
		return fmt.Errorf("show the timetable on the dashboard: %s", govwifi.Mask(err.Error()))
	}
	return nil
}

// HideTimetable empties the page. Other schedulers fill it again in their next round.
func (c *Client) HideTimetable(ctx context.Context) error {
	err := errors.Join(c.rdb.ZRem(ctx, pageIndex, pageKey).Err(), c.rdb.Del(ctx, pageKey).Err())
	if err != nil {
		return fmt.Errorf("take the timetable off the dashboard: %s", govwifi.Mask(err.Error()))
	}
	return nil
}

// ShowTick adds a queued job to the history that the page shows of an entry.
func (c *Client) ShowTick(ctx context.Context, name string, j job.Job) error {
	now := c.now()
	event := protowire.AppendTag(nil, 1, protowire.BytesType)
	event = protowire.AppendString(event, j.Key())
	event = appendTime(event, 2, now)
	_, err := c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.ZAdd(ctx, pageHistory+name, redis.Z{Score: float64(now.Unix()), Member: event})
		p.ZRemRangeByRank(ctx, pageHistory+name, 0, -pageEvents-1)
		return nil
	})
	if err != nil {
		return fmt.Errorf("show a tick of %s on the dashboard: %s", name, govwifi.Mask(err.Error()))
	}
	return nil
}

// encode is asynq's protobuf message SchedulerEntry.
func (r TimetableRow) encode(payload []byte) []byte {
	spec := r.Job.Spec()
	b := appendText(nil, 1, []byte(r.Name))
	b = appendText(b, 2, []byte(r.Cron))
	b = appendText(b, 3, []byte(spec.Name))
	b = appendText(b, 4, payload)
	for _, option := range []asynq.Option{ // those of Client.Enqueue; the key is the tick's
		asynq.Queue(string(spec.Queue)),
		asynq.MaxRetry(maxRetry),
		asynq.Timeout(wholeSeconds(spec.Timeout) + backstop),
		asynq.Retention(remember),
	} {
		b = appendText(b, 5, []byte(option.String()))
	}
	b = appendTime(b, 6, r.Next)
	return appendTime(b, 7, r.Last)
}

func appendText(b []byte, field protowire.Number, text []byte) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendBytes(b, text)
}

// appendTime adds a google.protobuf.Timestamp. The zero time is one too: asynq reads
// a missing one as 1970.
func appendTime(b []byte, field protowire.Number, t time.Time) []byte {
	seconds := protowire.AppendTag(nil, 1, protowire.VarintType)
	seconds = protowire.AppendVarint(seconds, uint64(t.Unix()))
	return appendText(b, field, seconds)
}
