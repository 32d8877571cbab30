package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// batchLifetime is how long a batch and its tally are kept, counted from Open: as
// long as Notify remembers what it was sent, and without end nothing is ever freed.
const batchLifetime = 7 * 24 * time.Hour

// openIndex holds the ids of batches without a receipt yet, by the time of Open.
const openIndex = "tally:open"

// Tally keeps a sponsor's batches and what became of each guest.
//
// A batch is one hash, so that all of it expires at once: "batch" is the sealed
// batch, "size" the number of guests, and each settled guest a field named by the
// index. The batch's id is SES's and says nothing about anyone.
type Tally struct {
	rdb  redis.UniversalClient
	seal Sealer
	now  func() time.Time
}

// NewTally counts over an open connection, which stays the caller's to close.
func NewTally(rdb redis.UniversalClient, seal Sealer) *Tally { return &Tally{rdb, seal, time.Now} }

const (
	fieldBatch = "batch"
	fieldSize  = "size"
	wordSent   = "sent"
	wordRefuse = "refused"
)

func tallyKey(batchID string) string { return "tally:{" + batchID + "}" }

var openBatch = redis.NewScript(`
if redis.call('EXISTS', KEYS[1]) == 0 then
	redis.call('HSET', KEYS[1], 'batch', ARGV[1], 'size', ARGV[2])
	redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return redis.call('HGET', KEYS[1], 'batch')`)

// Open stores a new batch. One that is open already is returned as it was stored,
// and its 7 days go on. The index is written first: a worker killed in between
// leaves the name of a batch that does not exist, which the sweep drops, rather than
// a batch that the sweep never sees.
func (t *Tally) Open(ctx context.Context, b govwifi.Batch) (govwifi.Batch, error) {
	clear, err := json.Marshal(b)
	if err != nil {
		return govwifi.Batch{}, fmt.Errorf("encode batch %s: %w", b.ID, err)
	}
	entry := redis.Z{Score: float64(t.now().UnixMilli()), Member: b.ID}
	if err := t.rdb.ZAddNX(ctx, openIndex, entry).Err(); err != nil {
		return govwifi.Batch{}, fmt.Errorf("index batch %s: %w", b.ID, err)
	}
	stored, err := openBatch.Run(ctx, t.rdb, []string{tallyKey(b.ID)},
		t.seal.Seal(tallyKey(b.ID), clear), len(b.Guests), batchLifetime.Milliseconds()).Text()
	if err != nil {
		return govwifi.Batch{}, fmt.Errorf("store batch %s: %w", b.ID, err)
	}
	return t.decode(b.ID, stored)
}

// decode also takes a batch in the clear: those stored before keys were set.
func (t *Tally) decode(batchID, stored string) (govwifi.Batch, error) {
	clear := []byte(stored)
	if !json.Valid(clear) {
		var err error
		if clear, err = t.seal.Open(tallyKey(batchID), clear); err != nil {
			return govwifi.Batch{}, fmt.Errorf("open batch %s: %w", batchID, err)
		}
	}
	var b govwifi.Batch
	if err := json.Unmarshal(clear, &b); err != nil {
		return govwifi.Batch{}, fmt.Errorf("decode batch %s: %w", batchID, err)
	}
	return b, nil
}

// settleGuest answers how many guests are left, -1 for a batch that is not open,
// -2 for a guest that is not in it.
var settleGuest = redis.NewScript(`
local size = tonumber(redis.call('HGET', KEYS[1], 'size'))
if not size then return -1 end
local guest = tonumber(ARGV[1])
if guest < 0 or guest >= size then return -2 end
redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
return size - (redis.call('HLEN', KEYS[1]) - 2)`)

// Settle notes what became of a guest, the first time it is told: later words are
// of no effect. It says how many guests are not settled yet, so once all are, every
// caller is told 0. govwifi.ErrNotFound if the batch is not open or has expired.
func (t *Tally) Settle(ctx context.Context, batchID string, guest int, refused bool) (left int, err error) {
	word := wordSent
	if refused {
		word = wordRefuse
	}
	left, err = settleGuest.Run(ctx, t.rdb, []string{tallyKey(batchID)}, guest, word).Int()
	switch {
	case err != nil:
		return 0, fmt.Errorf("settle guest %d of batch %s: %w", guest, batchID, err)
	case left == -1:
		return 0, fmt.Errorf("settle guest %d of batch %s: Redis has lost the batch, which the recovery of its mail opens again, or it expired 7 days after its mail: %w", guest, batchID, govwifi.ErrNotFound)
	case left < 0:
		return 0, fmt.Errorf("settle guest %d of batch %s: the batch has no such guest", guest, batchID)
	}
	return left, nil
}

// Batch returns a batch as it was stored, or govwifi.ErrNotFound.
func (t *Tally) Batch(ctx context.Context, batchID string) (govwifi.Batch, error) {
	fields, err := t.read(ctx, batchID)
	if err != nil {
		return govwifi.Batch{}, err
	}
	return t.decode(batchID, fields[fieldBatch])
}

// Outcome is what became of the guests, in the order of the mail. A batch with a
// guest who is not settled has none yet, which is an error. govwifi.ErrNotFound if
// the batch is not open or has expired.
func (t *Tally) Outcome(ctx context.Context, batchID string) (govwifi.BatchOutcome, error) {
	fields, err := t.read(ctx, batchID)
	if err != nil {
		return govwifi.BatchOutcome{}, err
	}
	b, err := t.decode(batchID, fields[fieldBatch])
	if err != nil {
		return govwifi.BatchOutcome{}, err
	}
	outcome := govwifi.BatchOutcome{Sponsor: b.Sponsor}
	for i, guest := range b.Guests {
		switch fields[strconv.Itoa(i)] {
		case wordSent:
			outcome.Sent = append(outcome.Sent, guest)
		case wordRefuse:
			outcome.Refused = append(outcome.Refused, guest)
		default:
			return govwifi.BatchOutcome{}, fmt.Errorf("read the outcome of batch %s: guest %d is not settled", batchID, i)
		}
	}
	return outcome, nil
}

// read returns the hash of a batch.
func (t *Tally) read(ctx context.Context, batchID string) (map[string]string, error) {
	fields, err := t.rdb.HGetAll(ctx, tallyKey(batchID)).Result()
	if err != nil {
		return nil, fmt.Errorf("read batch %s: %w", batchID, err)
	}
	if len(fields) == 0 {
		return nil, fmt.Errorf("read batch %s: %w", batchID, govwifi.ErrNotFound)
	}
	return fields, nil
}
