package fleet

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// batch has the given number of guests.
func batch(id string, guests int) govwifi.Batch {
	b := govwifi.Batch{ID: id, Sponsor: `"Sally" <sally@host.gov.uk>`}
	for i := range guests {
		b.Guests = append(b.Guests, govwifi.Contact("guest"+strings.Repeat("x", i)+"@visitor.example"))
	}
	return b
}

func openTally(t *testing.T, rdb *redis.Client, b govwifi.Batch) *Tally {
	t.Helper()
	tally := NewTally(rdb, clear{})
	if _, err := tally.Open(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return tally
}

func TestTallyOpenReturnsWhatIsStored(t *testing.T) {
	t.Parallel()
	tally := openTally(t, connect(t), batch("b1", 3))
	if _, err := tally.Settle(t.Context(), "b1", 0, false); err != nil {
		t.Fatal(err)
	}
	got, err := tally.Open(t.Context(), batch("b1", 7)) // the mail was read again, and differently
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(batch("b1", 3), got); diff != "" {
		t.Error(diff)
	}
	if left, err := tally.Settle(t.Context(), "b1", 1, false); err != nil || left != 1 {
		t.Errorf("left after opening again: got %d, %v, want 1", left, err)
	}
}

func TestTallySettle(t *testing.T) {
	t.Parallel()
	tally := openTally(t, connect(t), batch("b1", 3))
	for i, step := range []struct {
		guest   int
		refused bool
		left    int
	}{{2, true, 2}, {2, true, 2}, {2, false, 2}, {0, false, 1}, {1, false, 0}, {1, true, 0}, {0, false, 0}} {
		if left, err := tally.Settle(t.Context(), "b1", step.guest, step.refused); err != nil || left != step.left {
			t.Errorf("step %d: got %d, %v, want %d", i, left, err, step.left)
		}
	}
	b := batch("b1", 3)
	want := govwifi.BatchOutcome{Sponsor: b.Sponsor, Sent: b.Guests[:2], Refused: b.Guests[2:]}
	got, err := tally.Outcome(t.Context(), "b1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcome: the first word counts, in the order of the mail\n%s", diff)
	}
}

func TestTallyRefusesWhatMakesNoSense(t *testing.T) {
	t.Parallel()
	tally := openTally(t, connect(t), batch("b1", 2))
	for _, guest := range []int{-1, 2, 5000} {
		if _, err := tally.Settle(t.Context(), "b1", guest, false); err == nil || errors.Is(err, govwifi.ErrNotFound) {
			t.Errorf("guest %d of 2: got %v, want an error", guest, err)
		}
	}
	if left, err := tally.Settle(t.Context(), "b1", 0, false); err != nil || left != 1 {
		t.Errorf("left: got %d, %v, want 1", left, err)
	}
	if _, err := tally.Outcome(t.Context(), "b1"); err == nil || errors.Is(err, govwifi.ErrNotFound) {
		t.Errorf("outcome with an unsettled guest: got %v, want an error", err)
	}
}

func TestTallyKnowsNoOtherBatch(t *testing.T) {
	t.Parallel()
	tally := openTally(t, connect(t), batch("b1", 2))
	_, settle := tally.Settle(t.Context(), "b2", 0, false)
	_, outcome := tally.Outcome(t.Context(), "b2")
	_, unsettled := tally.Unsettled(t.Context(), "b2")
	_, stored := tally.Batch(t.Context(), "b2")
	for name, err := range map[string]error{"settle": settle, "outcome": outcome, "unsettled": unsettled, "batch": stored} {
		if !errors.Is(err, govwifi.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", name, err)
		}
	}
}

// Everyone who settles after the last guest sees 0; before, each count is seen once.
func TestTallySettledByAHundredAtOnce(t *testing.T) {
	t.Parallel()
	const guests = 100
	tally := openTally(t, connect(t), batch("b1", guests))
	var seen [guests]atomic.Int64
	var wait sync.WaitGroup
	for guest := range guests {
		wait.Go(func() {
			left, err := tally.Settle(t.Context(), "b1", guest, guest%2 == 0)
			if err != nil {
				t.Error(err)
				return
			}
			seen[left].Add(1)
		})
	}
	wait.Wait()
	for left := range seen {
		if n := seen[left].Load(); n != 1 {
			t.Errorf("%d left was seen %d times, want once", left, n)
		}
	}
	for guest := range guests {
		if left, err := tally.Settle(t.Context(), "b1", guest, false); err != nil || left != 0 {
			t.Fatalf("guest %d again: got %d, %v, want 0", guest, left, err)
		}
	}
	if outcome, err := tally.Outcome(t.Context(), "b1"); err != nil || len(outcome.Sent) != guests/2 || len(outcome.Refused) != guests/2 {
		t.Errorf("got %d sent, %d refused, %v", len(outcome.Sent), len(outcome.Refused), err)
	}
}

func TestTallyExpiresAsAWholeAfterSevenDays(t *testing.T) {
	t.Parallel()
	rdb := connect(t)
	tally := openTally(t, rdb, batch("b1", 3))
	expiry := func() time.Duration { return rdb.PTTL(t.Context(), tallyKey("b1")).Val() }
	if ttl := expiry(); ttl > batchLifetime || ttl < batchLifetime-time.Minute {
		t.Errorf("expires in %s, want %s", ttl, batchLifetime)
	}
	rdb.PExpire(t.Context(), tallyKey("b1"), time.Hour) // days later
	if _, err := tally.Settle(t.Context(), "b1", 0, true); err != nil {
		t.Fatal(err)
	}
	if _, err := tally.Open(t.Context(), batch("b1", 3)); err != nil {
		t.Fatal(err)
	}
	if ttl := expiry(); ttl > time.Hour {
		t.Errorf("settling or opening again prolonged it to %s", ttl)
	}
	if got, want := allKeys(t, rdb), []string{openIndex, tallyKey("b1")}; !sameSet(got, want) {
		t.Errorf("keys: got %v, want %v", got, want)
	}
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func TestTallyHidesPeopleAndRotatesKeys(t *testing.T) {
	t.Parallel()
	rdb := connect(t)
	stored, sealed := batch("clear", 2), batch("sealed", 2)
	openTally(t, rdb, stored)
	if err := rdb.Rename(t.Context(), tallyKey("clear"), "aside").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := NewTally(rdb, keys{"old"}).Open(t.Context(), sealed); err != nil {
		t.Fatal(err)
	}
	rdb.Rename(t.Context(), "aside", tallyKey("clear"))
	for _, line := range strings.Split(dump(t, rdb), "\n") {
		if strings.Contains(line, "@") && !strings.Contains(line, `"id":"clear"`) {
			t.Errorf("Redis shows %q", line)
		}
	}
	for _, want := range []govwifi.Batch{stored, sealed} {
		got, err := NewTally(rdb, keys{"new", "old"}).Batch(t.Context(), want.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("after rotation: %s", diff)
		}
	}
	for name, seal := range map[string]Sealer{"another key": keys{"new"}, "no key": clear{}} {
		if _, err := NewTally(rdb, seal).Batch(t.Context(), "sealed"); err == nil {
			t.Errorf("%s opens it", name)
		}
	}
	// A batch cannot be passed off as another.
	if err := rdb.Rename(t.Context(), tallyKey("sealed"), tallyKey("other")).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := NewTally(rdb, keys{"old"}).Batch(t.Context(), "other"); err == nil {
		t.Error("another batch's list of guests is taken")
	}
}

func TestTallySweep(t *testing.T) {
	t.Parallel()
	tally := NewTally(connect(t), clear{})
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	opened := now
	tally.now = func() time.Time { return opened }
	for id, age := range map[string]time.Duration{
		"expired": batchLifetime, "old": batchLifetime - time.Second, "again": 2 * time.Hour,
		"done": time.Hour, "edge": 30 * time.Minute, "new": time.Minute,
	} {
		opened = now.Add(-age)
		if _, err := tally.Open(t.Context(), batch(id, 3)); err != nil {
			t.Fatal(err)
		}
	}
	opened = now
	if _, err := tally.Open(t.Context(), batch("again", 3)); err != nil { // is as old as it was
		t.Fatal(err)
	}
	if err := tally.Close(t.Context(), "done"); err != nil {
		t.Fatal(err)
	}
	got, err := tally.OpenBatches(t.Context(), now.Add(-30*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"old", "again"}, got); diff != "" {
		t.Error(diff)
	}
	if _, err := tally.rdb.ZScore(t.Context(), openIndex, "expired").Result(); !errors.Is(err, redis.Nil) {
		t.Errorf("an expired batch stays in the index: %v", err)
	}
	if _, err := tally.Settle(t.Context(), "old", 1, true); err != nil {
		t.Fatal(err)
	}
	if left, err := tally.Unsettled(t.Context(), "old"); err != nil || !slices.Equal(left, []int{0, 2}) {
		t.Errorf("unsettled: got %v, %v, want [0 2]", left, err)
	}
	if stored, err := tally.Batch(t.Context(), "old"); err != nil || !cmp.Equal(stored, batch("old", 3)) {
		t.Errorf("batch: got %v, %v", stored, err)
	}
}

// A worker killed between the two writes of Open leaves a name, not a lost batch.
func TestTallyIndexesBeforeItStores(t *testing.T) {
	t.Parallel()
	rdb := connect(t)
	if err := rdb.Set(t.Context(), tallyKey("b1"), "no hash", 0).Err(); err != nil { // the second write fails
		t.Fatal(err)
	}
	tally := NewTally(rdb, clear{})
	if _, err := tally.Open(t.Context(), batch("b1", 1)); err == nil {
		t.Fatal("opened")
	}
	got, err := tally.OpenBatches(t.Context(), time.Now().Add(time.Minute))
	if err != nil || !slices.Equal(got, []string{"b1"}) {
		t.Errorf("got %v, %v, want b1", got, err)
	}
}
