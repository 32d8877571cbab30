package worker

import (
	"context"
	"encoding/base64"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/govwifi/user-signup/internal/fleet"
	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/notify/notifytest"
	"github.com/govwifi/user-signup/internal/queue"
	"github.com/govwifi/user-signup/internal/testenv"
)

// yard is a batch of three guests in a real Redis, with its invitations enqueued.
type yard struct {
	t         *testing.T
	url       queue.URL
	rdb       queue.Conn
	tally     *fleet.Tally
	jobs      *queue.Client
	inspector *asynq.Inspector
	sweeper   sweeper
	batch     govwifi.Batch
}

func newYard(t *testing.T) *yard {
	t.Helper()
	t.Parallel()
	var u queue.URL
	if err := u.UnmarshalText([]byte(testenv.Redis(t))); err != nil {
		t.Fatal(err)
	}
	rdb := u.Connect(queue.Patient)
	t.Cleanup(func() { _ = rdb.Close() })
	y := furnish(t, rdb)
	y.url = u
	return y
}

func furnish(t *testing.T, rdb queue.Conn) *yard {
	t.Helper()
	var none *queue.Sealer
	y := &yard{t: t, rdb: rdb, tally: fleet.NewTally(rdb, none), jobs: queue.NewClient(rdb, none), inspector: asynq.NewInspectorFromRedisClient(rdb),
		batch: govwifi.Batch{ID: "ses1", Sponsor: "jo@dept.gov.uk", Guests: []govwifi.Contact{"a@x.uk", "b@x.uk", "c@x.uk"}}}
	y.sweeper = sweeper{y.tally, y.jobs, slog.New(slog.DiscardHandler), func() time.Time { return time.Now().Add(2 * time.Hour) }}
	if _, err := y.tally.Open(t.Context(), y.batch); err != nil {
		t.Fatal(err)
	}
	for i := range y.batch.Guests {
		if err := y.jobs.Enqueue(t.Context(), job.InviteGuest(y.batch, i, false)); err != nil {
			t.Fatal(err)
		}
	}
	return y
}

func (y *yard) key(guest int) string { return job.InviteGuest(y.batch, guest, false).Key() }

func (y *yard) sweep() {
	y.t.Helper()
	if err := y.sweeper.sweep(y.t.Context()); err != nil {
		y.t.Fatal(err)
	}
}

func (y *yard) must(err error) {
	y.t.Helper()
	if err != nil {
		y.t.Fatal(err)
	}
}

func (y *yard) state(j job.Job) queue.State {
	y.t.Helper()
	state, err := y.jobs.State(y.t.Context(), j)
	y.must(err)
	return state
}

func (y *yard) unsettled() []int {
	y.t.Helper()
	left, err := y.tally.Unsettled(context.Background(), y.batch.ID)
	y.must(err)
	return left
}

// The queue archived two jobs without telling their handler; the third settled itself.
func TestSweepSettlesDeadGuests(t *testing.T) {
	y := newYard(t)
	y.must(y.inspector.ArchiveTask("batch", y.key(0)))
	y.must(y.inspector.ArchiveTask("batch", y.key(2)))
	if _, err := y.tally.Settle(t.Context(), "ses1", 1, false); err != nil {
		t.Fatal(err)
	}
	y.sweep()
	y.sweep()
	outcome, err := y.tally.Outcome(t.Context(), "ses1")
	y.must(err)
	if len(outcome.Refused) != 2 || outcome.Refused[0] != "a@x.uk" || len(outcome.Sent) != 1 {
		t.Errorf("outcome %+v", outcome)
	}
	if state := y.state(job.SponsorReceipt{BatchID: "ses1"}); state != queue.Open {
		t.Errorf("the receipt is %s", state)
	}
}

// A failover forgot that a guest was settled, but not that their job was done.
func TestSweepSettlesGuestsWhoseJobIsDone(t *testing.T) {
	y := newYard(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan queue.Attempt, 3)
	w := queue.NewWorker(queue.WorkerConfig{Redis: y.rdb, DrainTimeout: time.Second, Log: slog.New(slog.DiscardHandler),
		Places: map[job.Queue]int{job.Batch: 3}, Observe: func(_ context.Context, a queue.Attempt) { done <- a }})
	queue.Handle(w, func(context.Context, job.SponsorInvite) error { return nil })
	stopped := make(chan error, 1)
	go func() { stopped <- w.Run(ctx) }()
	for range y.batch.Guests {
		<-done
	}
	cancel() // it has told asynq of all of them when it has drained
	y.must(<-stopped)
	y.sweep()
	outcome, err := y.tally.Outcome(t.Context(), "ses1")
	y.must(err)
	if len(outcome.Sent) != 3 {
		t.Errorf("outcome %+v", outcome)
	}
	if state := y.state(job.SponsorReceipt{BatchID: "ses1"}); state != queue.Open {
		t.Errorf("the receipt is %s", state)
	}
}

// With REDIS_MIN_REPLICAS a batch, a settled guest and an enqueued job count only when
// replicas have them: there are none here.
func TestNotesOfAWorkerWaitForReplicas(t *testing.T) {
	y := newYard(t)
	parts, err := Config{RedisURL: y.url, MinReplicas: 1, Notify: Notify{APIKey: notifytest.DefaultKey}, S3: S3{Region: "eu-west-2"}}.
		connect(t.Context(), slog.New(slog.DiscardHandler))
	y.must(err)
	t.Cleanup(parts.close)
	for what, note := range map[string]func() error{
		"open": func() error {
			_, err := parts.tally.Open(t.Context(), govwifi.Batch{ID: "ses2", Guests: y.batch.Guests})
			return err
		},
		"settle":  func() error { _, err := parts.tally.Settle(t.Context(), y.batch.ID, 0, false); return err },
		"enqueue": func() error { return parts.jobs.Enqueue(t.Context(), job.SponsorReceipt{BatchID: y.batch.ID}) },
	} {
		if err := note(); err == nil || !strings.Contains(err.Error(), "REDIS_MIN_REPLICAS=1") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A job that waits or runs will settle its guest itself.
func TestSweepLeavesLivingGuestsAlone(t *testing.T) {
	y := newYard(t)
	y.sweep()
	if left := y.unsettled(); len(left) != 3 {
		t.Errorf("unsettled %v", left)
	}
	if state := y.state(job.SponsorReceipt{BatchID: "ses1"}); state != queue.Missing {
		t.Errorf("the receipt is %s", state)
	}
}

// A job that Redis lost is enqueued again, and asks Notify before it sends.
func TestSweepInvitesLostGuestsAgain(t *testing.T) {
	y := newYard(t)
	y.must(y.inspector.DeleteTask("batch", y.key(1)))
	y.sweep()
	if state := y.state(job.InviteGuest(y.batch, 1, false)); state != queue.Open {
		t.Errorf("the guest's job is %s", state)
	}
	info, err := y.inspector.GetTaskInfo("batch", y.key(1))
	y.must(err)
	if want := `"recovered":true`; !strings.Contains(string(info.Payload), want) {
		t.Errorf("payload %s", info.Payload)
	}
}

// A batch that cannot be read, as it is sealed with a key that this worker lacks, keeps none
// behind it from its receipt, and is spoken of.
func TestSweepGoesOnBehindABrokenBatch(t *testing.T) {
	y := newYard(t)
	keys, err := queue.ParseSealKeys(base64.StdEncoding.EncodeToString(make([]byte, 32)))
	y.must(err)
	_, err = fleet.NewTally(y.rdb, keys).Open(t.Context(), govwifi.Batch{ID: "ses0", Sponsor: "al@dept.gov.uk", Guests: []govwifi.Contact{"d@x.uk"}})
	y.must(err)
	y.must(y.rdb.ZAdd(t.Context(), "tally:open", redis.Z{Score: float64(time.Now().Add(-time.Hour).UnixMilli()), Member: "ses0"}).Err())
	for i := range y.batch.Guests {
		y.must(y.inspector.ArchiveTask("batch", y.key(i)))
	}
	if err := y.sweeper.sweep(t.Context()); err == nil || !strings.Contains(err.Error(), "ses0") {
		t.Errorf("error: %v", err)
	}
	if state := y.state(job.SponsorReceipt{BatchID: "ses1"}); state != queue.Open {
		t.Errorf("the receipt is %s", state)
	}
}

// A batch whose mail is still being worked on is not touched.
func TestSweepLeavesYoungBatchesAlone(t *testing.T) {
	y := newYard(t)
	y.sweeper.now = time.Now
	y.must(y.inspector.ArchiveTask("batch", y.key(0)))
	y.sweep()
	if left := y.unsettled(); len(left) != 3 {
		t.Errorf("unsettled %v", left)
	}
}

// Killed between settling the last guest and enqueuing the receipt.
func TestSweepOrdersALostReceipt(t *testing.T) {
	y := newYard(t)
	for i := range 3 {
		if _, err := y.tally.Settle(t.Context(), "ses1", i, false); err != nil {
			t.Fatal(err)
		}
	}
	y.sweep()
	if state := y.state(job.SponsorReceipt{BatchID: "ses1"}); state != queue.Open {
		t.Errorf("the receipt is %s", state)
	}
	if open, err := y.tally.OpenBatches(t.Context(), time.Now().Add(time.Hour)); err != nil || len(open) != 0 {
		t.Errorf("still open: %v, %v", open, err)
	}
}

// Killed between the index and the batch, or expired: nobody can settle it, so nobody
// looks at it again.
func TestSweepForgetsABatchThatIsNotThere(t *testing.T) {
	y := newYard(t)
	y.must(y.rdb.Del(t.Context(), "tally:{ses1}").Err())
	y.sweep()
	if open, err := y.tally.OpenBatches(t.Context(), time.Now().Add(time.Hour)); err != nil || len(open) != 0 {
		t.Errorf("still open: %v, %v", open, err)
	}
	if state := y.state(job.SponsorReceipt{BatchID: "ses1"}); state != queue.Missing {
		t.Errorf("the receipt is %s", state)
	}
}
