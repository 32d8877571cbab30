package fleet

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// What follows serves the sweep, which settles guests whose job died without a word.

// OpenBatches lists the batches opened before the given time and not closed since,
// oldest first; those whose tally has expired are dropped from the index. A batch
// that was never stored, or whose sponsor-batch job was worked on again after its
// receipt, may be among them: whoever sweeps closes the one that Unsettled does not
// find, and has the receipt enqueued (which by its key goes out once) and then
// closes the one that has nobody left.
func (t *Tally) OpenBatches(ctx context.Context, before time.Time) ([]string, error) {
	expired := t.now().Add(-batchLifetime).UnixMilli()
	if err := t.rdb.ZRemRangeByScore(ctx, openIndex, "-inf", strconv.FormatInt(expired, 10)).Err(); err != nil {
		return nil, fmt.Errorf("drop expired batches: %w", err)
	}
	ids, err := t.rdb.ZRangeByScore(ctx, openIndex, &redis.ZRangeBy{
		Min: "-inf", Max: "(" + strconv.FormatInt(before.UnixMilli(), 10)}).Result()
	if err != nil {
		return nil, fmt.Errorf("list open batches: %w", err)
	}
	return ids, nil
}

// Unsettled lists the guests of a batch who are not settled, by index.
// govwifi.ErrNotFound if the batch is not open or has expired.
func (t *Tally) Unsettled(ctx context.Context, batchID string) ([]int, error) {
	fields, err := t.read(ctx, batchID)
	if err != nil {
		return nil, err
	}
	size, err := strconv.Atoi(fields[fieldSize])
	if err != nil {
		return nil, fmt.Errorf("read the size of batch %s: %w", batchID, err)
	}
	var unsettled []int
	for guest := range size {
		if _, settled := fields[strconv.Itoa(guest)]; !settled {
			unsettled = append(unsettled, guest)
		}
	}
	return unsettled, nil
}

// Close takes a batch off the index once its sponsor has the receipt. The tally
// itself stays until it expires, for guests' jobs that are delivered again.
func (t *Tally) Close(ctx context.Context, batchID string) error {
	if err := t.rdb.ZRem(ctx, openIndex, batchID).Err(); err != nil {
		return fmt.Errorf("close batch %s: %w", batchID, err)
	}
	return nil
}
