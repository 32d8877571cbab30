package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// resendable makes it right and harmless that asynq v0.26.0, and go-redis below it, send
// again what Redis has not answered.
//
// The scripts are let finish whose context is over: asynq sends a lost acknowledgement
// again with the context of the first try, which is cancelled by then, so a job that
// succeeded would be worked on again a minute later. The socket time-outs bound them.
//
// And a job is moved to be retried once. If Redis did so and only its reply was lost, then
// the job may be due, taken by another worker and in the middle of its message when the
// move comes again, up to a lease (30 s) later; asynq's script would take it away from
// there, to be worked on by a third.
type resendable struct {
	redis.UniversalClient
	// once holds, by the hash of asynq's script, the script that runs it once.
	once sync.Map
	// unanswered holds the marks of moves that Redis may have made, by what asynq sends
	// again unchanged: the job and the time of its next attempt.
	unanswered sync.Map
}

// moved is how long it is remembered that a job was moved: longer than a lease and all
// that go-redis adds to it.
const moved = 2 * time.Minute

// guard stands before asynq's own script, whose keys and arguments come first.
const guard = `
if not redis.call("SET", KEYS[#KEYS], 1, "NX", "EX", ARGV[#ARGV]) then
	return redis.status_reply("OK")
end
`

// EvalSha runs a script, whatever became of the context.
func (r *resendable) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	if !movesToRetry(keys) {
		return r.UniversalClient.EvalSha(alive(ctx), sha, keys, args...)
	}
	script, known := r.once.Load(sha)
	if !known {
		return failed(ctx, redis.ErrNoScript) // so the source comes next
	}
	return r.move(ctx, script.(*redis.Script), keys, args)
}

// Eval is what EvalSha falls back to when Redis does not know the script.
func (r *resendable) Eval(ctx context.Context, source string, keys []string, args ...any) *redis.Cmd {
	if !movesToRetry(keys) {
		return r.UniversalClient.Eval(alive(ctx), source, keys, args...)
	}
	script := redis.NewScript(guard + source)
	r.once.Store(redis.NewScript(source).Hash(), script)
	return r.move(ctx, script, keys, args)
}

// movesToRetry knows asynq's script by its fourth key.
func movesToRetry(keys []string) bool {
	return len(keys) > 3 && strings.HasSuffix(keys[3], "}:retry")
}

// move runs the script once, however often it is sent. The mark is no key of the job's: a
// job may be retried several times within the second that asynq knows.
func (r *resendable) move(ctx context.Context, script *redis.Script, keys []string, args []any) *redis.Cmd {
	which := fmt.Sprint(args[0], " ", args[2])
	mark, _ := r.unanswered.LoadOrStore(which, "signup:{"+slotTag(keys[0])+"}:moved:"+rand.Text())
	forget := func() { r.unanswered.Delete(which) }
	cmd := script.Run(alive(ctx), r.UniversalClient, append(slices.Clone(keys), mark.(string)), append(slices.Clone(args), int(moved.Seconds()))...)
	var answer redis.Error
	if err := cmd.Err(); err == nil || errors.As(err, &answer) {
		forget()
	} else {
		time.AfterFunc(moved, forget)
	}
	return cmd
}

func alive(ctx context.Context) context.Context {
	if ctx.Err() != nil {
		return context.WithoutCancel(ctx)
	}
	return ctx
}
