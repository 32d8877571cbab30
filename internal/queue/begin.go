package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/job"
)

// claimed is how long it is remembered that an attempt began: longer than any failover,
// after which the same attempt may come a second time.
const claimed = time.Hour

var (
	errNotReplicated = errors.New("not enough replicas know that this attempt began")
	errBegunBefore   = errors.New("this attempt began before and was forgotten in a failover")
)

// claim is the right to make one attempt at a job, which a failover cannot give away
// twice. A job that was taken from one primary, but not on the next, comes again with the
// count of the same attempt; and one primary may go on while the next has been chosen
// (docs/decisions/0016-the-fault-run.md). So whoever is to begin leaves a token under the
// job's key and attempt, and waits until the replicas have it:
//
//	no token there, all have ours   begin
//	no token there, some lack ours  come back soon; nothing was done
//	another's                       it may have sent the message, or be about to: come
//	                                back after AmbiguousWait as the next attempt, which asks
//
// An attempt that had to wait for the budget did nothing, so it takes its token away.
type claim struct{ key, token string }

// newClaim names an attempt. One that an operator began anew is another, and one event
// that is enqueued twice, since a failover forgot the first, is not.
func newClaim(queue, jobKey string, retried int, headers map[string]string) claim {
	return claim{fmt.Sprintf("signup:{%s}:begun:%s:%d:%s", queue, jobKey, retried, headers[headerReplayed]), rand.Text()}
}

// leave is a script of its own: SET NX would take our own token, whose answer was lost, for
// another's.
const leave = `
local there = redis.call("GET", KEYS[1])
if there and there ~= ARGV[1] then return 0 end
redis.call("SET", KEYS[1], ARGV[1], "EX", ARGV[2])
return 1`

var takeAway = redis.NewScript(`
if redis.call("GET", KEYS[1]) == ARGV[1] then redis.call("DEL", KEYS[1]) end
return 1`)

// begin claims an attempt; nil says that it may be made.
func (w *Worker) begin(ctx context.Context, c claim) error {
	if w.config.MinReplicas == 0 {
		return nil
	}
	left, err := w.begins.run(ctx, []string{c.key}, func(p redis.Pipeliner) *redis.Cmd {
		return p.Eval(ctx, leave, []string{c.key}, c.token, int(claimed.Seconds()))
	}).Int()
	switch {
	case err != nil:
		w.giveUp(ctx, c)
		return fmt.Errorf("%w: %w", errNotReplicated, err)
	case left == 0:
		return errBegunBefore
	}
	return nil
}

// giveUp takes the token away. Where that fails, the next delivery is merely later.
func (w *Worker) giveUp(ctx context.Context, c claim) {
	if w.config.MinReplicas == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTime)
	defer cancel()
	_ = takeAway.Run(ctx, w.config.Redis, []string{c.key}, c.token).Err()
}

// underClaim runs an attempt if it may be made.
func (w *Worker) underClaim(ctx context.Context, c claim, run func() result) result {
	err := w.begin(ctx, c)
	switch {
	case errors.Is(err, errBegunBefore):
		return result{outcome: Retried, text: err.Error(), wait: job.AmbiguousWait}
	case err != nil:
		return result{outcome: Retried, text: govwifi.Mask(err.Error()), wait: backoff(0), free: true}
	}
	r := run()
	if r.free {
		w.giveUp(ctx, c)
	}
	return r
}
