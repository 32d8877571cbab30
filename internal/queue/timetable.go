package queue

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// ticksKey is a hash of what all schedulers know of the timetable, by the name of
// the entry: "name" is the time up to which its ticks are settled, "name ran" the
// last tick that was queued, both in Unix seconds. A finished job's key is forgotten
// after a day (remember); this is not, so that a monthly tick is not queued twice
// either. It has no expiry, and is as many fields long as there are entries.
const (
	ticksKey = "signup:ticks"
	ranField = " ran"
)

// Settled is what is known of one entry of the timetable.
type Settled struct {
	// Until is the time up to which every tick was queued, or is not owed.
	Until time.Time
	// Ran is the last tick that was queued; zero if none ever was.
	Ran time.Time
}

// Settled reads what is known, by the entry's name. An entry that no scheduler has
// seen yet is not in it.
func (c *Client) Settled(ctx context.Context) (map[string]Settled, error) {
	fields, err := c.rdb.HGetAll(ctx, ticksKey).Result()
	if err != nil {
		return nil, fmt.Errorf("read the last ticks: %s", govwifi.Mask(err.Error()))
	}
	known := make(map[string]Settled, len(fields))
	for field, value := range fields {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read the last ticks: the field %q of %s holds no number", field, ticksKey)
		}
		name, isRun := strings.CutSuffix(field, ranField)
		s := known[name]
		if isRun {
			s.Ran = time.Unix(seconds, 0).UTC()
		} else {
			s.Until = time.Unix(seconds, 0).UTC()
		}
		known[name] = s
	}
	return known, nil
}

// Begin settles everything up to a time for an entry of which nothing is known, and
// changes nothing for any other: a new installation owes no ticks.
func (c *Client) Begin(ctx context.Context, name string, from time.Time) error {
	if err := c.rdb.HSetNX(ctx, ticksKey, name, from.Unix()).Err(); err != nil {
		return fmt.Errorf("remember the start of %s: %s", name, govwifi.Mask(err.Error()))
	}
	return nil
}

// settle moves an entry forward and never back, however late a slow scheduler
// comes. It returns 1 to the one caller that moved it.
var settle = redis.NewScript(`
local until_ = tonumber(redis.call("HGET", KEYS[1], ARGV[1]) or "-1")
if tonumber(ARGV[2]) <= until_ then return 0 end
redis.call("HSET", KEYS[1], ARGV[1], ARGV[2])
if ARGV[3] ~= "" then redis.call("HSET", KEYS[1], ARGV[3], ARGV[2]) end
return 1`)

// Skip settles an entry up to now without a job: what is switched off owes nothing.
func (c *Client) Skip(ctx context.Context, name string, now time.Time) error {
	if err := settle.Run(ctx, c.rdb, []string{ticksKey}, name, now.Unix(), "").Err(); err != nil {
		return fmt.Errorf("remember that %s is off: %s", name, govwifi.Mask(err.Error()))
	}
	return nil
}

// Ticked settles an entry up to a tick whose job is queued. Of all schedulers that
// queued it, one is told true: that one may log it.
func (c *Client) Ticked(ctx context.Context, name string, tick time.Time) (bool, error) {
	moved, err := settle.Run(ctx, c.rdb, []string{ticksKey}, name, tick.Unix(), name+ranField).Int()
	if err != nil {
		return false, fmt.Errorf("remember the tick of %s: %s", name, govwifi.Mask(err.Error()))
	}
	return moved == 1, nil
}
