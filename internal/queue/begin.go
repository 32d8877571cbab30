package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// errNotReplicated says that an attempt did not begin.
var errNotReplicated = errors.New("not enough replicas know that this attempt began")

// begin returns when enough replicas know everything that Redis did up to here, the taking
// of this job among it. Without it a failover would bring the job back as if nobody had
// taken it, and its message might go out twice (docs/decisions/0016-the-fault-run.md). The
// write is for WAIT, which speaks of the last one on its connection; its key lies in the
// queue's own slot. Attempts that begin together wait together.
func (w *Worker) begin(ctx context.Context, queue string) error {
	if w.config.MinReplicas == 0 {
		return nil
	}
	key := "signup:{" + queue + "}:begun"
	cmd := w.begins.run(ctx, []string{key}, func(p redis.Pipeliner) *redis.Cmd { return p.Do(ctx, "set", key, 1, "ex", 3600) })
	if cmd.Err() != nil {
		return fmt.Errorf("%w: %w", errNotReplicated, cmd.Err())
	}
	return nil
}

// notBegun is the result of an attempt that did not begin: it spends none.
func notBegun(err error) result {
	return result{outcome: Retried, text: govwifi.Mask(err.Error()), wait: backoff(0), free: true}
}
