package fleet

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/govwifi/user-signup/internal/govwifi"
)

const (
	// disorder is how far texts handled at the same time may be out of the order
	// in which they were received. Within it a later text counts against an earlier
	// one, so that of three texts on three workers exactly one is refused. Beyond
	// it only earlier texts count: the first ones of a series are answered however
	// late they are asked about again, as in a long outage of Notify.
	disorder = time.Minute
	// bucket is the span of reception times that shares a key. A key's expiry is
	// set once, so its last text is forgotten up to a bucket earlier than its first.
	bucket = 5 * time.Minute
	// keepVerdict is all that the guard may remember. Texts are forgotten sooner,
	// or a text asked about after its verdict is gone would meet the very texts
	// that were refused on its account. 25 minutes are the longer window, a bucket
	// and 5 minutes for texts that wait unequally long.
	keepVerdict = 30 * time.Minute
	keepTexts   = 25 * time.Minute
	// crowd is how many texts a key holds at most, the latest ones: more than the
	// rule looks at, and a flood costs no more.
	crowd = 32
)

// Guard says which texts are one too many from their sender. It counts by the time
// of reception, as after an outage a whole evening's texts are handled at once, and
// counts refused texts too: a machine stays unanswered until it slows down. Two
// texts are the same if they are so to the letter, as the Ruby service compared
// them: a person who writes GO, Go and go is no machine.
//
// In Redis lie, per number, sorted sets of ids by reception time, one for each five
// minutes and again one for each different text in them. Numbers and texts appear
// as pseudonyms only.
type Guard struct {
	rdb  redis.UniversalClient
	seal Sealer
}

// NewGuard counts over an open connection, which stays the caller's to close.
func NewGuard(rdb redis.UniversalClient, seal Sealer) *Guard { return &Guard{rdb, seal} }

// repeats answers 1 or 0. KEYS: the verdict; 3 buckets of all texts, oldest first,
// the last but one being the text's own; 5 buckets of the same text, likewise.
var repeats = redis.NewScript(`
local verdict = redis.call('GET', KEYS[1])
if verdict then return tonumber(verdict) end
local id, at = ARGV[1], ARGV[2]
local disorder, keepVerdict, keepTexts, crowd = ARGV[3], ARGV[4], ARGV[5], ARGV[6]

-- Most people send one text: there is nothing to compare it with.
local alone = redis.call('EXISTS', unpack(KEYS, 2)) == 0

local function add(own)
	redis.call('ZREMRANGEBYRANK', own, 0, -1 - crowd)
	redis.call('ZADD', own, at, id)
	if redis.call('PTTL', own) < 0 then redis.call('PEXPIRE', own, keepTexts) end
end
add(KEYS[3])
add(KEYS[8])

-- tooMany says whether limit texts, this among them, lie within the window. Looking at
-- the nearest texts on either side is enough.
local function tooMany(first, last, limit, window)
	local times = {}
	local function gather(found)
		for i = 2, #found, 2 do times[#times + 1] = tonumber(found[i]) end
	end
	for k = first, last do
		gather(redis.call('ZREVRANGEBYSCORE', KEYS[k], at, at - window, 'WITHSCORES', 'LIMIT', 0, limit))
		gather(redis.call('ZRANGEBYSCORE', KEYS[k], '(' .. at, at + disorder, 'WITHSCORES', 'LIMIT', 0, limit))
	end
	table.sort(times)
	for i = limit, #times do
		if times[i] - times[i - limit + 1] <= window then return true end
	end
	return false
end
local repeated = not alone and (tooMany(2, 4, tonumber(ARGV[7]), tonumber(ARGV[8])) or tooMany(5, 9, tonumber(ARGV[9]), tonumber(ARGV[10])))
verdict = repeated and 1 or 0
redis.call('SET', KEYS[1], verdict, 'PX', keepVerdict)
return verdict`)

// Repeats says whether this text is one too many from its sender. Asked again
// within half an hour about the same ID it says the same, and the text counts once.
// The error is Redis's; the same question may be asked again.
func (g *Guard) Repeats(ctx context.Context, t govwifi.IncomingText) (bool, error) {
	verdict, err := repeats.Run(ctx, g.rdb, g.keys(t),
		t.ID, t.At.UnixMicro(), disorder.Microseconds(), keepVerdict.Milliseconds(), keepTexts.Milliseconds(), crowd,
		govwifi.AnyTextLimit, govwifi.AnyTextWindow.Microseconds(), govwifi.SameTextLimit, govwifi.SameTextWindow.Microseconds()).Int()
	if err != nil {
		return false, fmt.Errorf("ask the repeat guard: %w", err)
	}
	return verdict == 1, nil
}

func (g *Guard) keys(t govwifi.IncomingText) []string {
	prefix := "guard:{" + g.seal.Pseudonym("number "+string(t.From)) + "}:"
	text := g.seal.Pseudonym("text " + t.Text)
	own := t.At.Unix() / int64(bucket/time.Second)
	keys := []string{prefix + "verdict:" + t.ID}
	for b := own - int64(govwifi.AnyTextWindow/bucket); b <= own+1; b++ {
		keys = append(keys, fmt.Sprintf("%sany:%d", prefix, b))
	}
	for b := own - int64(govwifi.SameTextWindow/bucket); b <= own+1; b++ {
		keys = append(keys, fmt.Sprintf("%ssame:%d:%s", prefix, b, text))
	}
	return keys
}
