package queue

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/govwifi/user-signup/internal/job"
)

func sealer(t *testing.T, keys ...string) *Sealer {
	t.Helper()
	s, err := ParseSealKeys(strings.Join(keys, ", "))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return base64.StdEncoding.EncodeToString(key)
}

// With keys, Redis holds a masked label and nothing else that is personal.
func TestSealedJob(t *testing.T) {
	b := newBench(t)
	key := newKey()
	b.client.seal = sealer(t, key)
	b.enqueue(probe{ID: "one", Contact: "jo@dept.gov.uk"})
	payload := string(b.task(job.Interactive, "one").Payload)
	if strings.Contains(payload, "jo@dept") || !strings.Contains(payload, `"label":"to: j***@d***.gov.uk"`) {
		t.Fatalf("payload: %s", payload)
	}
	got := make(chan probe, 1)
	w := b.worker(b.server.Addr, sealer(t, key))
	Handle(w, func(_ context.Context, p probe) error { got <- p; return nil })
	b.run(w)
	if p := await(t, got, "job"); p.Contact != "jo@dept.gov.uk" {
		t.Errorf("opened: %+v", p)
	}
}

// Rotation without downtime: first every binary learns the new key behind the old
// one, then it goes first, then the old one goes.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	older, newer := newKey(), newKey()
	steps := []*Sealer{sealer(t, older), sealer(t, older, newer), sealer(t, newer, older), sealer(t, newer)}
	for i := range len(steps) - 1 {
		for _, pair := range [][2]*Sealer{{steps[i], steps[i+1]}, {steps[i+1], steps[i]}} {
			clear, err := pair[1].Open("p", pair[0].Seal("p", []byte("text")))
			if err != nil || string(clear) != "text" {
				t.Errorf("between steps %d and %d: %v", i, i+1, err)
			}
		}
	}
	if _, err := steps[3].Open("p", steps[0].Seal("p", nil)); !errors.Is(err, ErrSealed) {
		t.Errorf("opened with a key that was taken away: %v", err)
	}
}

func TestSealIsBoundToItsPurpose(t *testing.T) {
	t.Parallel()
	s := sealer(t, newKey())
	sealed := s.Seal("signup-sms", []byte("text"))
	if _, err := s.Open("help-sms", sealed); !errors.Is(err, ErrSealed) {
		t.Errorf("opened as another job's: %v", err)
	}
	for i := range sealed {
		sealed[i] ^= 1
		if _, err := s.Open("signup-sms", sealed); err == nil {
			t.Fatalf("opened with byte %d changed", i)
		}
		sealed[i] ^= 1
	}
	first, second := s.Seal("p", []byte("x")), s.Seal("p", []byte("x"))
	if string(first) == string(second) {
		t.Error("the nonce repeats")
	}
}

// A payload that opens with none of our keys is kept for the operator.
func TestUnopenedPayloadIsArchived(t *testing.T) {
	b := newBench(t)
	b.client.seal = sealer(t, newKey())
	b.enqueue(probe{ID: "one"})
	w := b.worker(b.server.Addr, sealer(t, newKey()))
	Handle(w, func(context.Context, probe) error { t.Error("handled"); return nil })
	b.run(w)
	await(t, b.attempts, "attempt")
	if info := b.awaitState("one", asynq.TaskStateArchived, 5*time.Second); !strings.Contains(info.LastErr, "none of QUEUE_SEAL_KEYS") {
		t.Errorf("last error: %q", info.LastErr)
	}
}

// Jobs that were queued before keys were set are still opened.
func TestClearPayloadIsOpenedWithKeys(t *testing.T) {
	t.Parallel()
	clear, err := sealer(t, newKey()).open("probe", []byte(`{"id":"one","contact":"\"sealed\":"}`))
	if err != nil || !strings.Contains(string(clear), "one") {
		t.Errorf("%s, %v", clear, err)
	}
}

func TestParseSealKeys(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"short", newKey() + ",", newKey() + "," + newKey()[4:], newKey()[:20]} {
		if _, err := ParseSealKeys(bad); err == nil || strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if s, err := ParseSealKeys(" "); s != nil || err != nil {
		t.Errorf("empty: %v, %v", s, err)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	var none *Sealer
	if n := none.Keys(); n != 0 {
		t.Errorf("%d keys without any", n)
	}
	if n := sealer(t, newKey(), newKey()).Keys(); n != 2 {
		t.Errorf("%d of 2 keys", n)
	}
}

// A pseudonym is stable, and without the key cannot be told from a number.
func TestPseudonym(t *testing.T) {
	t.Parallel()
	key := newKey()
	a, other := sealer(t, key), sealer(t, newKey())
	if a.Pseudonym("+447700900123") != sealer(t, key).Pseudonym("+447700900123") {
		t.Error("not stable")
	}
	if a.Pseudonym("+447700900123") == other.Pseudonym("+447700900123") || a.Pseudonym("a") == a.Pseudonym("b") {
		t.Error("not keyed")
	}
	var none *Sealer
	if none.Pseudonym("x") == "" {
		t.Error("none without keys")
	}
	if _, err := none.open("probe", []byte(`{"label":"","sealed":"AAAA"}`)); !errors.Is(err, ErrSealed) {
		t.Errorf("a sealed payload without keys: %v", err)
	}
}
