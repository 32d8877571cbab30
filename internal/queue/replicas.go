package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// replicaTime is how long an enqueue waits for replicas. It leaves time for an answer
// within the 2 s that a webhook may take.
const replicaTime = 700 * time.Millisecond

// replicated makes a script count only when so many replicas have what it wrote. A
// primary that dies before its replicas have a job would take an acknowledged event
// with it (docs/asynq.md, section 8).
type replicated struct {
	redis.UniversalClient
	replicas int
}

// EvalSha sends the script and WAIT down one connection: WAIT speaks of the last
// command on its own connection, and on a fresh one of nothing. A script that found
// its job there before is waited for like one that wrote it, since the earlier write
// may be the one that the replicas do not have.
func (r replicated) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	return r.wait(ctx, keys, func(p redis.Pipeliner) *redis.Cmd { return p.EvalSha(ctx, sha, keys, args...) })
}

// Eval is what EvalSha falls back to when Redis does not know the script.
func (r replicated) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	return r.wait(ctx, keys, func(p redis.Pipeliner) *redis.Cmd { return p.Eval(ctx, script, keys, args...) })
}

func (r replicated) wait(ctx context.Context, keys []string, send func(redis.Pipeliner) *redis.Cmd) *redis.Cmd {
	pipeline, err := r.pipeline(ctx, keys)
	if err != nil {
		cmd := redis.NewCmd(ctx)
		cmd.SetErr(err)
		return cmd
	}
	cmd := send(pipeline)
	wait := pipeline.Do(ctx, "wait", r.replicas, replicaTime.Milliseconds())
	_, _ = pipeline.Exec(ctx) // each command has its own error
	if cmd.Err() != nil {
		return cmd
	}
	switch n, err := wait.Int(); {
	case err != nil:
		cmd.SetErr(fmt.Errorf("wait for replicas: %w", err))
	case n < r.replicas:
		cmd.SetErr(fmt.Errorf("only %d of REDIS_MIN_REPLICAS=%d replicas have the job", n, r.replicas))
	}
	return cmd
}

// pipeline is one to the node that holds the keys: in a cluster, WAIT itself has no
// key and would go anywhere.
func (r replicated) pipeline(ctx context.Context, keys []string) (redis.Pipeliner, error) {
	cluster, ok := r.UniversalClient.(*redis.ClusterClient)
	if !ok {
		return r.Pipeline(), nil
	}
	node, err := cluster.MasterForKey(ctx, keys[0])
	if err != nil {
		return nil, fmt.Errorf("find the node of the queue: %w", err)
	}
	return node.Pipeline(), nil
}
