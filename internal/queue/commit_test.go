package queue

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/govwifi/user-signup/internal/testenv"
)

// turnstile counts round trips and holds them up until the test lets each through.
type turnstile struct {
	redis.Hook
	came chan int
	pass chan struct{}
}

func (turnstile) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (turnstile) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (h turnstile) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		h.came <- len(cmds)
		<-h.pass
		return next(ctx, cmds)
	}
}

// grouped is a committer behind a turnstile, on a Redis of its own.
func (b *bench) grouped() (*committer, turnstile) {
	b.t.Helper()
	rdb := dial(b.t, b.server.Addr, Impatient)
	hook := turnstile{came: make(chan int), pass: make(chan struct{})}
	rdb.AddHook(hook)
	return newCommitter(rdb, 0), hook
}

// awaitGathered polls until so many wait for the next round trip, since nobody is told;
// -1 is none under way.
func awaitGathered(t *testing.T, c *committer, want int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		c.mu.Lock()
		waiting, underWay := c.gathering["interactive"]
		got := len(waiting)
		c.mu.Unlock()
		if !underWay {
			got = -1
		}
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d scripts wait, not %d", got, want)
		}
	}
}

// everyone runs a script for each of n callers and returns their replies in order.
func everyone(t *testing.T, c *committer, n int) (replies func() []*redis.Cmd) {
	t.Helper()
	got := make([]*redis.Cmd, n)
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() { got[i] = number.Run(t.Context(), c, []string{"asynq:{interactive}:x"}, i) })
	}
	return func() []*redis.Cmd { wait.Wait(); return got }
}

// number answers its argument, and refuses the 13.
var number = redis.NewScript(`if ARGV[1] == '13' then return redis.error_reply('UNLUCKY') end return tonumber(ARGV[1])`)

// Whoever comes during a round trip shares the next one, and each has its own answer.
func TestConcurrentScriptsShareARoundTrip(t *testing.T) {
	b := newBench(t)
	if err := number.Load(t.Context(), b.rdb).Err(); err != nil {
		t.Fatal(err)
	}
	c, gate := b.grouped()
	first := everyone(t, c, 1)
	if n := await(t, gate.came, "round trip"); n != 1 {
		t.Fatalf("%d scripts in the first round trip", n)
	}
	const crowd = maxCommit + 20
	others := everyone(t, c, crowd)
	awaitGathered(t, c, crowd)
	for _, want := range []int{maxCommit, crowd - maxCommit} {
		gate.pass <- struct{}{}
		if n := await(t, gate.came, "round trip"); n != want {
			t.Errorf("%d scripts in a round trip, want %d", n, want)
		}
	}
	gate.pass <- struct{}{}
	if n, err := first()[0].Int(); n != 0 || err != nil {
		t.Errorf("the first: %d, %v", n, err)
	}
	for i, reply := range others() {
		n, err := reply.Int()
		if refused := err != nil && err.Error() == "ERR UNLUCKY"; refused != (i == 13) || (!refused && n != i) {
			t.Errorf("caller %d was answered %d, %v", i, n, err)
		}
	}
	awaitGathered(t, c, -1)
}

// A script that Redis does not know, as after a restart, is sent in full.
func TestUnknownScriptIsSentInFull(t *testing.T) {
	b := newBench(t)
	client := NewClient(dial(t, b.server.Addr, Impatient), nil).Grouped(0)
	for i := range 3 {
		if err := b.rdb.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if err := client.Enqueue(t.Context(), probe{ID: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
}

// A caller whose context ends leaves at once, is told what is not known, and sends
// nothing that has not left yet. The others do not notice.
func TestCallerMayLeave(t *testing.T) {
	b := newBench(t)
	if err := number.Load(t.Context(), b.rdb).Err(); err != nil {
		t.Fatal(err)
	}
	c, gate := b.grouped()
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan *redis.Cmd)
	ask := func(ctx context.Context, n int) {
		left <- number.Eval(ctx, c, []string{"asynq:{interactive}:x"}, n)
	}
	go ask(ctx, 1)
	await(t, gate.came, "round trip")
	go ask(ctx, 2)
	awaitGathered(t, c, 1)
	stays := everyone(t, c, 3)
	awaitGathered(t, c, 4)
	leave()
	for range 2 {
		if err := (await(t, left, "end of a wait")).Err(); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "may or may not be there") {
			t.Errorf("who left was told: %v", err)
		}
	}
	gate.pass <- struct{}{}
	if n := await(t, gate.came, "round trip"); n != 3 {
		t.Errorf("%d scripts in the second round trip, want the 3 who stayed", n)
	}
	gate.pass <- struct{}{}
	for i, reply := range stays() {
		if n, err := reply.Int(); n != i || err != nil {
			t.Errorf("caller %d: %d, %v", i, n, err)
		}
	}
	awaitGathered(t, c, -1)
}

// While Redis does not answer, no more than so many wait.
func TestWaitingScriptsAreBounded(t *testing.T) {
	b := newBench(t)
	c, gate := b.grouped()
	_ = everyone(t, c, 1)
	await(t, gate.came, "round trip")
	ctx, leave := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	for i := range maxWaiting {
		wait.Go(func() { number.EvalSha(ctx, c, []string{"asynq:{interactive}:x"}, i) })
	}
	awaitGathered(t, c, maxWaiting)
	if err := number.EvalSha(t.Context(), c, []string{"asynq:{interactive}:x"}, 0).Err(); !errors.Is(err, errCrowded) {
		t.Errorf("one more: %v", err)
	}
	leave()
	wait.Wait()
	close(gate.pass)
	for done := false; !done; {
		select {
		case <-gate.came: // the first, in full
			done = true
		case <-time.After(10 * time.Second):
			t.Fatal("the first caller was forgotten")
		}
	}
	awaitGathered(t, c, -1)
}

// Neither a Redis that is gone nor one that hangs holds anyone for long, however many
// there are; nothing of it stays, and the next job is taken.
func TestGroupWithoutRedis(t *testing.T) {
	for name, breakIt := range map[string]func(*testenv.RedisServer){
		"gone":    (*testenv.RedisServer).Stop,
		"hanging": (*testenv.RedisServer).Pause,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testenv.NewRedisServer(t)
			client := NewClient(dial(t, server.Addr, Impatient), nil).Grouped(0)
			if err := client.Enqueue(t.Context(), probe{ID: "before"}); err != nil {
				t.Fatal(err)
			}
			breakIt(server)
			var wait sync.WaitGroup
			for i := range 300 {
				wait.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					started := time.Now()
					if err := client.Enqueue(ctx, probe{ID: fmt.Sprint(i)}); err == nil {
						t.Error("enqueued into nothing")
					}
					if took := time.Since(started); took > 1900*time.Millisecond {
						t.Errorf("it took %s", took)
					}
				})
			}
			wait.Wait()
			// Nor is the next round trip held up by one that gets no answer.
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			started := time.Now()
			if err := client.Enqueue(ctx, probe{ID: "patient"}); err == nil || time.Since(started) > 2*commitTime+900*time.Millisecond {
				t.Errorf("%v after %s", err, time.Since(started))
			}
			if name == "gone" {
				server.Start()
			} else {
				server.Resume()
			}
			for client.Enqueue(ctx, probe{ID: "after"}) != nil && ctx.Err() == nil {
				time.Sleep(50 * time.Millisecond) // the pool may hold more broken connections
			}
			if ctx.Err() != nil {
				t.Error("no job was taken afterwards")
			}
		})
	}
}

// Jobs that share a round trip share its WAIT.
func TestWaitIsShared(t *testing.T) {
	b := newBench(t)
	replica := testenv.NewRedisServer(t)
	host, port, _ := net.SplitHostPort(b.server.Addr)
	if err := dial(t, replica.Addr, Patient).Do(t.Context(), "replicaof", host, port).Err(); err != nil {
		t.Fatal(err)
	}
	c := newCommitter(dial(t, b.server.Addr, Impatient), 1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for number.Run(ctx, c, []string{"asynq:{interactive}:x"}, 1).Err() != nil && ctx.Err() == nil {
		time.Sleep(50 * time.Millisecond) // a replica tells nobody when it has caught up
	}
	hook := turnstile{came: make(chan int), pass: make(chan struct{})}
	c.AddHook(hook)
	if err := b.rdb.ConfigResetStat(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	first := everyone(t, c, 1)
	await(t, hook.came, "round trip")
	others := everyone(t, c, 12)
	awaitGathered(t, c, 12)
	hook.pass <- struct{}{}
	if n := await(t, hook.came, "round trip"); n != 13 {
		t.Errorf("%d commands in a round trip, want 12 scripts and WAIT", n)
	}
	hook.pass <- struct{}{}
	for _, reply := range append(first(), others()...) {
		if reply.Err() != nil {
			t.Error(reply.Err())
		}
	}
	stats := b.rdb.Info(ctx, "commandstats").Val()
	if waits := regexp.MustCompile(`cmdstat_wait:calls=(\d+)`).FindStringSubmatch(stats); waits == nil || waits[1] != "2" {
		t.Errorf("WAIT was sent %v times, want 2:\n%s", waits, stats)
	}
}

// single is a Redis, and a way to give it a replica.
func single(t *testing.T) (url string, addReplica func() *testenv.RedisServer) {
	server := testenv.NewRedisServer(t)
	return server.URL, func() *testenv.RedisServer {
		replica := testenv.NewRedisServer(t)
		host, port, _ := net.SplitHostPort(server.Addr)
		if err := dial(t, replica.Addr, Patient).Do(t.Context(), "replicaof", host, port).Err(); err != nil {
			t.Fatal(err)
		}
		return replica
	}
}

// inCluster is a cluster, and a way to give the queue's node a replica. WAIT has no key,
// and on another node it would say 0.
func inCluster(t *testing.T) (url string, addReplica func() *testenv.RedisServer) {
	cluster := testenv.NewCluster(t)
	return cluster.URL, func() *testenv.RedisServer { return cluster.AddReplica(t, "asynq:{interactive}:pending") }
}

// With one replica asked for, a job counts when the replica has it and not before;
// the sender's next try finds it there and is accepted.
func TestReplicas(t *testing.T) {
	for name, start := range map[string]func(*testing.T) (string, func() *testenv.RedisServer){"single": single, "cluster": inCluster} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, addReplica := start(t)
			rdb := dialURL(t, url, Impatient)
			client := NewClient(rdb, nil).Grouped(1)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := client.Enqueue(ctx, probe{ID: "one"}); err == nil || !strings.Contains(err.Error(), "only 0 of REDIS_MIN_REPLICAS=1") {
				t.Fatalf("without a replica: %v", err)
			}
			if err := Replicated(ctx, rdb, 1); err == nil || !strings.Contains(err.Error(), "only 0 of REDIS_MIN_REPLICAS=1") {
				t.Fatalf("without a replica: %v", err)
			}
			replica := addReplica()
			for client.Enqueue(ctx, probe{ID: "one"}) != nil && ctx.Err() == nil {
				time.Sleep(50 * time.Millisecond) // a replica tells nobody when it has caught up
			}
			if err := client.Enqueue(ctx, probe{ID: "two"}); err != nil {
				t.Fatalf("with a replica: %v", err)
			}
			if err := Replicated(ctx, rdb, 1); err != nil {
				t.Errorf("with a replica: %v", err)
			}
			replica.Pause()
			started := time.Now()
			if err := client.Enqueue(ctx, probe{ID: "three"}); err == nil {
				t.Error("accepted what no replica has")
			}
			if took := time.Since(started); took > 1500*time.Millisecond {
				t.Errorf("it took %s", took)
			}
			replica.Resume()
			for client.Enqueue(ctx, probe{ID: "three"}) != nil && ctx.Err() == nil {
				time.Sleep(50 * time.Millisecond)
			}
			info, err := asynq.NewInspectorFromRedisClient(rdb).GetQueueInfo("interactive")
			if err != nil || info.Size != 3 || ctx.Err() != nil {
				t.Errorf("%+v, %v, %v", info, err, ctx.Err())
			}
		})
	}
}
