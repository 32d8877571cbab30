package queue

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/job"
)

// lossy runs scripts, and loses the reply to the first that moves a job to be retried.
type lossy struct {
	redis.UniversalClient
	lost atomic.Bool
	// moves gets one for each such script that Redis has run.
	moves chan error
}

func (l *lossy) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	return l.lose(keys, l.UniversalClient.EvalSha(ctx, sha, keys, args...))
}

func (l *lossy) Eval(ctx context.Context, source string, keys []string, args ...any) *redis.Cmd {
	return l.lose(keys, l.UniversalClient.Eval(ctx, source, keys, args...))
}

func (l *lossy) lose(keys []string, cmd *redis.Cmd) *redis.Cmd {
	if len(keys) < 4 || !strings.HasSuffix(keys[3], ":retry") || errors.Is(cmd.Err(), redis.ErrNoScript) {
		return cmd
	}
	l.moves <- cmd.Err()
	if l.lost.CompareAndSwap(false, true) {
		cmd.SetErr(io.ErrUnexpectedEOF)
	}
	return cmd
}

// Redis has moved a job to be retried, and its reply is lost. asynq moves it again, after
// others have taken it: in the middle of a message, which would be sent by a third, since
// an attempt that only asked for patience is not counted.
func TestLostReplyToARetryTakesTheJobFromNobody(t *testing.T) {
	b := newBench(t)
	rdb := &lossy{UniversalClient: dial(t, b.server.Addr, Patient), moves: make(chan error, 10)}
	w := b.worker(b.server.Addr, nil)
	w.config.Redis = rdb
	var runs atomic.Int32
	begun, finish := make(chan bool, 10), make(chan bool)
	Handle(w, func(context.Context, probe) error {
		if runs.Add(1) == 1 {
			return job.RetryAfter(time.Second, &govwifi.SlowDownError{Wait: time.Second, Err: errors.New("the budget is used up")})
		}
		begun <- true
		<-finish
		return nil
	})
	b.run(w)
	b.enqueue(probe{ID: "one"})
	if err := await(t, rdb.moves, "move"); err != nil {
		t.Fatal(err)
	}
	await(t, begun, "second attempt")
	if err := await(t, rdb.moves, "move of asynq's syncer"); err != nil {
		t.Errorf("it is not told that the job has been moved: %v", err)
	}
	if info := b.task(job.Interactive, "one"); info.State != asynq.TaskStateActive {
		t.Errorf("the job that is being worked on is %s", info.State)
	}
	close(finish)
	b.awaitState("one", asynq.TaskStateCompleted, 20*time.Second)
	if n := runs.Load(); n != 2 {
		t.Errorf("the job was begun %d times", n)
	}
}

// Each retry of a job is another, and moves it.
func TestEveryRetryMovesTheJob(t *testing.T) {
	b := newBench(t)
	w := b.worker(b.server.Addr, nil)
	var runs atomic.Int32
	Handle(w, func(context.Context, probe) error {
		if runs.Add(1) < 4 {
			return job.RetryAfter(0, errors.New("not yet"))
		}
		return nil
	})
	b.run(w)
	b.enqueue(probe{ID: "one"})
	b.awaitState("one", asynq.TaskStateCompleted, 20*time.Second)
	for n := 1; n <= 4; n++ {
		if a := await(t, b.attempts, "attempt"); a.Number != n {
			t.Errorf("attempt %d is called %d", n, a.Number)
		}
	}
}

// Two retries of a job may be due at the same second. What tells the second from the first
// sent again is that Redis has answered the first.
func TestAnAnsweredMoveIsOver(t *testing.T) {
	b := newBench(t)
	rdb := &lossy{UniversalClient: b.rdb, moves: make(chan error, 10)}
	rdb.lost.Store(true)
	r := &resendable{UniversalClient: rdb}
	count := redis.NewScript(`return redis.call("INCR", KEYS[2])`)
	send := func() error {
		return count.Run(t.Context(), r, []string{"asynq:{interactive}:t:one", "{interactive}:moves", "", "asynq:{interactive}:retry"}, "one", "message", 1).Err()
	}
	for range 2 {
		if err := send(); err != nil {
			t.Fatal(err)
		}
	}
	rdb.lost.Store(false)
	if err := send(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	for range 2 {
		if err := send(); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := b.rdb.Get(t.Context(), "{interactive}:moves").Int(); n != 4 || err != nil {
		t.Errorf("moved %d times, %v; want two, one whose answer is lost, and one after it was sent again", n, err)
	}
}
