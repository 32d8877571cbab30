package fleet

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

const number govwifi.Contact = "+447700900123"

// evening is when the tests' texts arrive: long ago, which must not matter, and
// just before a bucket ends, which must not either.
var evening = time.Date(2026, 1, 15, 19, 4, 59, 0, time.UTC)

func text(id string, after time.Duration, words string) govwifi.IncomingText {
	return govwifi.IncomingText{ID: id, From: number, Text: words, At: evening.Add(after)}
}

func TestGuardFollowsTheRule(t *testing.T) {
	t.Parallel()
	const m, s = time.Minute, time.Second
	type step struct {
		after time.Duration
		words string
		want  bool
	}
	series := func(n int, apart time.Duration) []step {
		steps := make([]step, n)
		for i := range steps {
			steps[i] = step{time.Duration(i) * apart, fmt.Sprint("text ", i), false}
		}
		return steps
	}
	table := map[string][]step{
		"third of the same":              {{0, "go", false}, {m, "go", false}, {2 * m, "go", true}},
		"fourth too":                     {{0, "go", false}, {m, "go", false}, {2 * m, "go", true}, {15*m + 30*s, "go", true}},
		"exactly 15 minutes is within":   {{0, "go", false}, {m, "go", false}, {15 * m, "go", true}},
		"a second more is not":           {{0, "go", false}, {m, "go", false}, {15*m + s, "go", false}},
		"nor a microsecond":              {{0, "go", false}, {m, "go", false}, {15*m + time.Microsecond, "go", false}},
		"twice is fine, again and again": {{0, "go", false}, {m, "go", false}, {16 * m, "go", false}, {17 * m, "go", false}},
		"quiet makes up for it":          {{0, "go", false}, {m, "go", false}, {2 * m, "go", true}, {18 * m, "go", false}},
		"to the letter":                  {{0, "go", false}, {m, "Go", false}, {2 * m, "go ", false}, {3 * m, "GO", false}},
		"two others between":             {{0, "go", false}, {m, "help", false}, {2 * m, "go", false}, {3 * m, "1", false}, {4 * m, "go", true}},
		"empty texts are the same":       {{0, "", false}, {m, "", false}, {2 * m, "", true}},
		"handled backwards, far apart":   {{4 * m, "go", false}, {2 * m, "go", false}, {0, "go", false}},
		"handled backwards, close":       {{59 * s, "go", false}, {30 * s, "go", false}, {0, "go", true}},
		"no 15 minutes hold all three":   {{0, "go", false}, {15*m + 30*s, "go", false}, {15 * m, "go", false}},
		"ninth of any":                   series(9, s),
		"tenth of any":                   append(series(9, s), step{9 * s, "new", true}),
		"tenth of any in exactly 5 min":  append(series(9, s), step{5 * m, "new", true}),
		"tenth of any a second later":    append(series(9, s), step{5*m + s, "new", false}),
		"a text every 34 seconds":        series(30, 34*s),
		"an evening, handled at once":    series(200, 40*s),
	}
	rdb := connect(t)
	for name, steps := range table {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			guard := NewGuard(rdb, keys{name}) // a key of its own gives it numbers of its own
			for i, step := range steps {
				got, err := guard.Repeats(t.Context(), text(fmt.Sprint(i), step.after, step.words))
				if err != nil || got != step.want {
					t.Errorf("text %d, %q after %s: got %t, %v, want %t", i, step.words, step.after, got, err, step.want)
				}
			}
		})
	}
}

func TestGuardTellsNumbersApart(t *testing.T) {
	t.Parallel()
	guard := NewGuard(connect(t), clear{})
	for i := range 30 {
		in := text(fmt.Sprint(i), 0, "go")
		in.From = govwifi.Contact(fmt.Sprintf("+4477009001%02d", i))
		if got, err := guard.Repeats(t.Context(), in); err != nil || got {
			t.Fatalf("number %d: got %t, %v", i, got, err)
		}
	}
}

// A redelivered text counts once, and every retry is told what the first try was.
func TestGuardSaysTheSameAgain(t *testing.T) {
	t.Parallel()
	guard := NewGuard(connect(t), clear{})
	want := map[string]bool{"a": false, "b": false, "c": true, "d": true}
	for _, id := range strings.Split("aaabbabcacbdabcd", "") {
		after := time.Duration(id[0]-'a') * time.Minute
		if got, err := guard.Repeats(t.Context(), text(id, after, "go")); err != nil || got != want[id] {
			t.Errorf("text %s: got %t, %v, want %t", id, got, err, want[id])
		}
	}
}

// While Notify is away for longer than verdicts are kept, a person who sends GO four
// times has two texts retried. Neither may meet the two that were refused for its sake.
func TestGuardForgetsTextsBeforeVerdicts(t *testing.T) {
	t.Parallel()
	rdb := connect(t)
	guard := NewGuard(rdb, clear{})
	for i, after := range []time.Duration{0, time.Minute, 14 * time.Minute, 14 * time.Minute} {
		if _, err := guard.Repeats(t.Context(), text(fmt.Sprint(i), after, "go")); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range allKeys(t, rdb) { // what 30 minutes do to the verdict of the first
		if strings.HasSuffix(key, "verdict:0") {
			rdb.Del(t.Context(), key)
		}
	}
	if got, err := guard.Repeats(t.Context(), text("0", 0, "go")); err != nil || got {
		t.Errorf("first text, verdict forgotten: got %t, %v, want it answered", got, err)
	}
	for _, key := range allKeys(t, rdb) {
		ttl, limit := rdb.PTTL(t.Context(), key).Val(), 25*time.Minute
		if strings.Contains(key, "verdict:") {
			limit = 30 * time.Minute // nothing may be kept longer
		}
		if ttl > limit || ttl < limit-time.Minute {
			t.Errorf("%s expires in %s, want %s", key, ttl, limit)
		}
	}
}

// A later text does not give an earlier one in the same key a longer life.
func TestGuardSetsAnExpiryOnce(t *testing.T) {
	t.Parallel()
	rdb := connect(t)
	guard := NewGuard(rdb, clear{})
	ask := func(id string) {
		if _, err := guard.Repeats(t.Context(), text(id, 0, "go")); err != nil {
			t.Fatal(err)
		}
	}
	ask("first")
	for _, key := range allKeys(t, rdb) {
		rdb.PExpire(t.Context(), key, time.Minute)
	}
	ask("second")
	for _, key := range allKeys(t, rdb) {
		if ttl := rdb.PTTL(t.Context(), key).Val(); ttl > time.Minute && !strings.HasSuffix(key, "second") {
			t.Errorf("%s lives on for %s", key, ttl)
		}
	}
}

// Workers handle texts of the same minute in any order: two of the same and nine of
// any are answered, no more and no fewer.
func TestGuardInAFleet(t *testing.T) {
	t.Parallel()
	rdb := connect(t)
	for name, test := range map[string]struct {
		words func(int) string
		want  int64
	}{
		"same": {func(int) string { return "go" }, govwifi.SameTextLimit - 1},
		"any":  {func(i int) string { return fmt.Sprint(i) }, govwifi.AnyTextLimit - 1},
	} {
		guard := NewGuard(rdb, keys{name})
		var answered atomic.Int64
		var wait sync.WaitGroup
		for _, i := range rand.Perm(100) {
			wait.Go(func() {
				repeats, err := guard.Repeats(t.Context(), text(fmt.Sprint(i), time.Duration(i)*time.Second/2, test.words(i)))
				if err != nil {
					t.Error(err)
				}
				if !repeats {
					answered.Add(1)
				}
			})
		}
		wait.Wait()
		if got := answered.Load(); got != test.want {
			t.Errorf("%s: answered %d, want %d", name, got, test.want)
		}
	}
}

func TestGuardBoundsAFlood(t *testing.T) {
	t.Parallel()
	rdb := connect(t)
	guard := NewGuard(rdb, clear{})
	answered := 0
	for i := range 10_000 {
		repeats, err := guard.Repeats(t.Context(), text(fmt.Sprint(i), time.Duration(i)*10*time.Millisecond, "go"))
		if err != nil {
			t.Fatal(err)
		}
		if !repeats {
			answered++
		}
	}
	if answered != govwifi.SameTextLimit-1 {
		t.Errorf("answered %d, want %d", answered, govwifi.SameTextLimit-1)
	}
	for _, key := range allKeys(t, rdb) {
		if strings.Contains(key, "verdict:") {
			continue
		}
		if n := rdb.ZCard(t.Context(), key).Val(); n > crowd+1 {
			t.Errorf("%s holds %d texts", key, n)
		}
	}
}

func TestGuardHidesNumbersAndTexts(t *testing.T) {
	t.Parallel()
	rdb := connect(t)
	guard := NewGuard(rdb, keys{"k"})
	if _, err := guard.Repeats(t.Context(), text("id", 0, "my secret")); err != nil {
		t.Fatal(err)
	}
	for _, private := range []string{"7700900123", "secret"} {
		if all := dump(t, rdb); strings.Contains(all, private) {
			t.Errorf("Redis shows %q:\n%s", private, all)
		}
	}
}

// All keys of a script must lie in one cluster slot, or a cluster refuses it.
func TestGuardKeysShareASlot(t *testing.T) {
	t.Parallel()
	for _, key := range NewGuard(nil, clear{}).keys(text("id", 0, "go")) {
		if !strings.HasPrefix(key, "guard:{"+clear{}.Pseudonym("number "+string(number))+"}:") {
			t.Errorf("key %s", key)
		}
	}
}
