package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/govwifi/user-signup/internal/job"
)

const (
	// commitTime bounds one round trip, so that whoever waits for the next still has
	// time for it within the 2 s that a webhook may take. No caller's context does:
	// none may end the commit of the others.
	commitTime = time.Second
	// replicaTime is how much of it replicas have.
	replicaTime = 700 * time.Millisecond
	// maxCommit is how many scripts one round trip carries: Redis serves nobody else
	// while it runs them, about 10 µs each.
	maxCommit = 128
	// maxWaiting bounds memory while Redis does not answer.
	maxWaiting = 1024
)

// errCrowded refuses a script that never left this process.
var errCrowded = errors.New("too many jobs wait for Redis already")

// committer lets the scripts of concurrent callers share round trips, and what they
// wait for: one fsync, and one WAIT for replicas. While a round trip is under way the
// next one gathers; a lone caller's leaves at once. Reasons and figures:
// docs/decisions/0009-group-commit.md.
//
// A caller whose context ends is let go at once. It has no goroutine of its own: one
// for each queue runs while there is something to send, and commitTime bounds it.
type committer struct {
	redis.UniversalClient
	// replicas is how many must have what the scripts wrote before they count. A
	// primary that dies before its replicas have a job would take an acknowledged
	// event with it (docs/asynq.md, section 8).
	replicas int

	mu sync.Mutex
	// gathering holds, for each queue with a round trip under way, what the next one
	// will carry.
	gathering map[string][]*script
}

func newCommitter(rdb redis.UniversalClient, replicas int) *committer {
	return &committer{UniversalClient: rdb, replicas: replicas, gathering: map[string][]*script{}}
}

// Durable is a connection whose scripts count only when so many replicas have what they
// wrote; with 0 it is the connection itself. A worker notes things one after the other, and
// in a failover may note the first on a primary that has been replaced and the next on its
// successor: a guest was not settled and their job done, and the receipt never came.
func Durable(rdb Conn, replicas int) Conn {
	if replicas == 0 {
		return rdb
	}
	return newCommitter(rdb, replicas)
}

// Replicated says whether so many replicas follow, of whatever node holds each queue. It
// writes, and waits for them, as every job will: what a node says of its replicas may be
// a while old.
func Replicated(ctx context.Context, rdb Conn, replicas int) error {
	durable := Durable(rdb, replicas)
	for _, queue := range job.Queues() {
		key := "signup:{" + string(queue) + "}:replicated"
		if err := durable.Eval(ctx, `return redis.call("SET", KEYS[1], 1, "EX", 60)`, []string{key}).Err(); err != nil {
			return fmt.Errorf("write to Redis for the %s queue: %w", queue, err)
		}
	}
	return nil
}

// script is one caller's.
type script struct {
	ctx  context.Context
	key  string
	send func(redis.Pipeliner) *redis.Cmd
	// reply may be read once done is closed, and by nobody who has left before.
	reply *redis.Cmd
	done  chan struct{}
}

// EvalSha runs a script whose keys lie in one slot, together with those of others.
func (c *committer) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	return c.run(ctx, keys, func(p redis.Pipeliner) *redis.Cmd { return p.EvalSha(ctx, sha, keys, args...) })
}

// Eval is what EvalSha falls back to when Redis does not know the script.
func (c *committer) Eval(ctx context.Context, source string, keys []string, args ...any) *redis.Cmd {
	return c.run(ctx, keys, func(p redis.Pipeliner) *redis.Cmd { return p.Eval(ctx, source, keys, args...) })
}

func (c *committer) run(ctx context.Context, keys []string, send func(redis.Pipeliner) *redis.Cmd) *redis.Cmd {
	s := &script{ctx: ctx, key: keys[0], send: send, done: make(chan struct{})}
	if err := c.join(s); err != nil {
		return failed(ctx, err)
	}
	select {
	case <-s.done:
		return s.reply
	case <-ctx.Done():
		return failed(ctx, fmt.Errorf("no answer from Redis in time, so the job may or may not be there: %w", ctx.Err()))
	}
}

func failed(ctx context.Context, err error) *redis.Cmd {
	cmd := redis.NewCmd(ctx)
	cmd.SetErr(err)
	return cmd
}

// join leaves the script to the round trip that gathers, or begins one.
func (c *committer) join(s *script) error {
	queue := slotTag(s.key)
	c.mu.Lock()
	defer c.mu.Unlock()
	waiting, underWay := c.gathering[queue]
	if len(waiting) == maxWaiting {
		return errCrowded
	}
	c.gathering[queue] = append(waiting, s)
	if !underWay {
		go c.work(queue)
	}
	return nil
}

// slotTag is the part of a key that a cluster takes its slot from; asynq puts the
// queue's name there.
func slotTag(key string) string {
	_, rest, _ := strings.Cut(key, "{")
	tag, _, _ := strings.Cut(rest, "}")
	return tag
}

// work makes round trips until nobody waits for one.
func (c *committer) work(queue string) {
	for batch := c.next(queue); len(batch) > 0; batch = c.next(queue) {
		c.commit(batch)
	}
}

// next takes those who still wait; without any, no round trip is under way any more.
func (c *committer) next(queue string) []*script {
	c.mu.Lock()
	defer c.mu.Unlock()
	var batch []*script
	waiting := c.gathering[queue]
	for len(waiting) > 0 && len(batch) < maxCommit {
		if s := waiting[0]; s.ctx.Err() == nil {
			batch = append(batch, s)
		}
		waiting = waiting[1:]
	}
	c.gathering[queue] = waiting
	if len(batch) == 0 {
		delete(c.gathering, queue)
	}
	return batch
}

// commit sends the scripts and WAIT down one connection: WAIT speaks of the last
// command on its own connection, and on a fresh one of nothing. A script that found
// its job there before is waited for like one that wrote it, since the earlier write
// may be the one that the replicas do not have.
func (c *committer) commit(batch []*script) {
	ctx, cancel := context.WithTimeout(context.Background(), commitTime)
	defer cancel()
	pipeline, err := c.pipeline(ctx, batch[0].key)
	if err == nil {
		for _, s := range batch {
			s.reply = s.send(pipeline)
		}
		err = c.exec(ctx, pipeline)
	}
	for _, s := range batch {
		switch {
		case s.reply == nil:
			s.reply = failed(ctx, err)
		case err != nil && s.reply.Err() == nil:
			s.reply.SetErr(err)
		}
		if cluster, ok := c.UniversalClient.(*redis.ClusterClient); ok && s.reply.Err() != nil {
			cluster.ReloadState(ctx) // the queue may have moved; it does so once, in its own time
		}
		close(s.done)
	}
}

// exec returns what is wrong with all the scripts; what is wrong with one of them, its
// reply says.
func (c *committer) exec(ctx context.Context, pipeline redis.Pipeliner) error {
	if c.replicas == 0 {
		_, _ = pipeline.Exec(ctx)
		return nil
	}
	wait := pipeline.Do(ctx, "wait", c.replicas, replicaTime.Milliseconds())
	_, _ = pipeline.Exec(ctx)
	switch n, err := wait.Int(); {
	case err != nil:
		return fmt.Errorf("wait for replicas: %w", err)
	case n < c.replicas:
		return fmt.Errorf("only %d of REDIS_MIN_REPLICAS=%d replicas have it", n, c.replicas)
	}
	return nil
}

// pipeline is one to the node that holds the key: in a cluster, WAIT itself has no key
// and would go anywhere.
func (c *committer) pipeline(ctx context.Context, key string) (redis.Pipeliner, error) {
	cluster, ok := c.UniversalClient.(*redis.ClusterClient)
	if !ok || c.replicas == 0 {
		return c.Pipeline(), nil
	}
	node, err := cluster.MasterForKey(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("find the node of the queue: %w", err)
	}
	return node.Pipeline(), nil
}
