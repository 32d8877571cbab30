package fleet

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Class is how urgent a message is. The names are those of the queues.
type Class string

// The classes, most urgent first.
const (
	Interactive Class = "interactive"
	Batch       Class = "batch"
	Maintenance Class = "maintenance"
)

// budgetKey is the one hash of the budget. An operator who wants to end a pause
// early deletes it.
const budgetKey = "budget:notify"

// Budget is the number of messages that the whole fleet may hand to Notify, whose
// own limit is on all workers together and counts refused requests too
// (docs/facts.md, A8): at or above its rate an empty bucket never recovers.
//
// It is one token bucket. With s as one second's worth of messages, and at least
// one, it holds 4 s and is full at first; so at most the rate times the time, plus
// 4 s, are sent in any stretch of time. A class may take while more than this is left:
//
//	interactive   0
//	batch         1 s, so people find a second's worth however large the batch
//	maintenance   2 s
//
// What lies above its reserve, 2 s or more, bridges the second between a class's
// jobs coming back. A class that got nothing for the time of 20 messages may take
// the last token too, so that none starves: up to one message in 20 is its own.
//
// Who is refused gets a place in the class's line and is asked to come back then.
// The places are a tenth closer together than the messages, so that one who never
// comes back costs nothing; one who comes in vain joins the end of the line. So a
// class asks little more often than the budget allows messages, however many wait.
// A line in front of a full bucket is forgotten: nobody in it came.
//
// Time is Redis's own, so the workers' clocks need not agree. Where Redis loses
// everything or its clock is set back, the bucket is full again, the lines are
// empty, and a pause is over.
type Budget struct {
	rdb         redis.UniversalClient
	perMinute   int
	take, pause *redis.Script
}

// NewBudget spends over an open connection, which stays the caller's to close.
// perMinute is NOTIFY_MESSAGES_PER_MINUTE; 0 or less lifts the budget, and nothing
// is asked of Redis. Keep it well below Notify's limit, 3,000 unless agreed
// otherwise: above it, everything is refused.
func NewBudget(rdb redis.UniversalClient, perMinute int) *Budget {
	return &Budget{rdb, perMinute, takeToken, pauseAll}
}

// takeToken answers 0 or the wait in microseconds. Fields of the hash, times in
// microseconds: tokens, at (when they were counted), until (end of a pause), and for
// each class line (its next free place) and served.
var takeToken = redis.NewScript(takeSource)

const takeSource = clockSource + `
local class, interval, capacity, reserve = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local state = redis.call('HMGET', KEYS[1], 'tokens', 'at', 'until', 'line:' .. class, 'served:' .. class)
if (tonumber(state[2]) or 0) > now + 1000000 then -- the clock was set back: its times mean nothing
	redis.call('DEL', KEYS[1])
	state = {}
end
local tokens, at = tonumber(state[1]) or capacity, tonumber(state[2]) or now
local paused, line, served = tonumber(state[3]) or 0, tonumber(state[4]) or 0, tonumber(state[5]) or 0

-- Pause leaves no token, and until its end none is added.
local since = math.max(math.min(at, now), paused)
tokens = math.min(capacity, tokens + math.max(0, now - since) / interval)
if tokens >= capacity then line = 0 end

local wait = 0
local starved = now - served >= 20 * interval
if tokens >= 1 + reserve or (starved and tokens >= 1) then
	tokens, served = tokens - 1, now
else
	local enough = math.max(now, paused) + math.max(0, 1 + reserve - tokens) * interval
	line = math.max(line, enough)
	wait = math.max(1, math.ceil(line - now)) -- never 0, which means go
	line = math.floor(line + 0.9 * interval)
end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', now, 'line:' .. class, line, 'served:' .. class, served)
redis.call('PEXPIRE', KEYS[1], math.ceil(math.max(0, paused - now) / 1000) + 60000)
return wait`

// clockSource reads Redis's clock: one for the whole fleet.
const clockSource = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
`

// Take asks for one message. 0 means go ahead: the message is paid for, whatever
// becomes of it. Otherwise nothing is taken, and it says when to ask again.
func (b *Budget) Take(ctx context.Context, class Class) (wait time.Duration, err error) {
	if b.perMinute <= 0 {
		return 0, nil
	}
	second := max(1, float64(b.perMinute)/60)
	var reserve float64
	switch class {
	case Interactive:
	case Batch:
		reserve = second
	case Maintenance:
		reserve = 2 * second
	default:
		return 0, fmt.Errorf("take from the message budget: no class %q", class)
	}
	interval := float64(time.Minute.Microseconds()) / float64(b.perMinute)
	micros, err := b.take.Run(ctx, b.rdb, []string{budgetKey}, string(class), interval, 4*second, reserve).Int64()
	if err != nil {
		return 0, fmt.Errorf("take from the message budget: %w", err)
	}
	return time.Duration(micros) * time.Microsecond, nil
}

var pauseAll = redis.NewScript(pauseSource)

const pauseSource = clockSource + `
local paused = math.max(tonumber(redis.call('HGET', KEYS[1], 'until')) or 0, now + ARGV[1])
redis.call('HSET', KEYS[1], 'tokens', 0, 'at', now, 'until', paused)
redis.call('PEXPIRE', KEYS[1], math.ceil((paused - now) / 1000) + 60000)
return 1`

// Pause keeps the whole fleet from sending for as long as Notify asked, counted from
// now (govwifi.SlowDownError.Wait: seconds, and jitter). A shorter
// pause does not end a longer one. Afterwards the bucket is empty, so sending starts
// at the rate and not with a burst. A duration rather than a time of day: the one
// clock is Redis's.
func (b *Budget) Pause(ctx context.Context, wait time.Duration) error {
	if b.perMinute <= 0 || wait <= 0 {
		return nil
	}
	if err := b.pause.Run(ctx, b.rdb, []string{budgetKey}, wait.Microseconds()).Err(); err != nil {
		return fmt.Errorf("pause the message budget: %w", err)
	}
	return nil
}
