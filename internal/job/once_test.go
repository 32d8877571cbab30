package job

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// fakeNotify remembers what was posted and answers what it is told.
type fakeNotify struct {
	has     map[string]bool
	lookErr error
	postErr error
	looked  int
	posted  []govwifi.Message
}

func (f *fakeNotify) Send(_ context.Context, m govwifi.Message) error {
	f.posted = append(f.posted, m)
	return f.postErr
}

func (f *fakeNotify) Sent(_ context.Context, reference string) (bool, error) {
	f.looked++
	return f.has[reference], f.lookErr
}

// fakeBudget is a purse.
type fakeBudget struct {
	wait   time.Duration
	err    error
	asked  []Queue
	paused time.Duration
}

func (f *fakeBudget) Take(_ context.Context, q Queue) (time.Duration, error) {
	f.asked = append(f.asked, q)
	return f.wait, f.err
}

func (f *fakeBudget) Pause(_ context.Context, wait time.Duration) error {
	f.paused = wait
	return nil
}

// Each row of the decision tables in Once's comment.
func TestOnce(t *testing.T) {
	t.Parallel()
	away := errors.New("connection refused")
	slow := &govwifi.SlowDownError{Wait: 7 * time.Second, Err: errors.New("429")}
	full := &govwifi.SlowDownError{Wait: 7 * time.Hour, OneKind: true, Err: errors.New("429")}
	first, later := Delivery{First: true, Queue: Batch}, Delivery{Queue: Batch}
	for name, c := range map[string]struct {
		delivery  Delivery
		notify    fakeNotify
		budget    fakeBudget
		looked    int
		posted    int
		permanent bool
		wait      time.Duration
		fails     bool
		paused    time.Duration
	}{
		"first posts at once":           {delivery: first, posted: 1},
		"later, Notify has it":          {delivery: later, notify: fakeNotify{has: map[string]bool{"key": true}}, looked: 1},
		"later, Notify has it not":      {delivery: later, looked: 1, posted: 1},
		"later, Notify cannot be asked": {delivery: later, notify: fakeNotify{lookErr: away}, looked: 1, fails: true},
		"later, Notify says slow down":  {delivery: later, notify: fakeNotify{lookErr: slow}, looked: 1, fails: true, wait: 7 * time.Second},
		"no budget":                     {delivery: first, budget: fakeBudget{wait: 3 * time.Second}, fails: true, wait: 3 * time.Second},
		"the budget cannot be asked":    {delivery: first, budget: fakeBudget{err: away}, fails: true},
		"refused":                       {delivery: first, notify: fakeNotify{postErr: govwifi.ErrRefused}, posted: 1, fails: true, permanent: true},
		"slow down":                     {delivery: first, notify: fakeNotify{postErr: slow}, posted: 1, fails: true, wait: 7 * time.Second, paused: 7 * time.Second},
		"no more of this kind":          {delivery: first, notify: fakeNotify{postErr: full}, posted: 1, fails: true, wait: 7 * time.Hour},
		"unknown outcome":               {delivery: first, notify: fakeNotify{postErr: govwifi.ErrAmbiguous}, posted: 1, fails: true, wait: AmbiguousWait},
		"our set-up is at fault":        {delivery: first, notify: fakeNotify{postErr: govwifi.ErrMisconfigured}, posted: 1, fails: true},
		"nothing was sent":              {delivery: first, notify: fakeNotify{postErr: away}, posted: 1, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			once := Once{Notify: &c.notify, Budget: &c.budget}
			err := once.Send(WithDelivery(t.Context(), c.delivery), govwifi.Message{Template: govwifi.RecapSMS, To: "+447700900123", Reference: "key"})
			var after *RetryAfterError
			wait := time.Duration(0)
			if errors.As(err, &after) {
				wait = after.Wait
			}
			if (err != nil) != c.fails || IsPermanent(err) != c.permanent || wait != c.wait {
				t.Errorf("error %v, permanent %v, wait %s", err, IsPermanent(err), wait)
			}
			if c.notify.looked != c.looked || len(c.notify.posted) != c.posted || c.budget.paused != c.paused {
				t.Errorf("looked %d, posted %d, paused %s", c.notify.looked, len(c.notify.posted), c.budget.paused)
			}
			if c.posted > 0 && (len(c.budget.asked) != 1 || c.budget.asked[0] != Batch) {
				t.Errorf("asked the budget for %v", c.budget.asked)
			}
		})
	}
}

// Waiting for the budget, or because Notify asked for it, spends no attempt: the
// queue finds that by the error's type.
func TestWaitingIsASlowDown(t *testing.T) {
	t.Parallel()
	once := Once{Notify: &fakeNotify{}, Budget: &fakeBudget{wait: time.Second}}
	err := once.Send(WithDelivery(t.Context(), Delivery{First: true}), govwifi.Message{Reference: "key"})
	var slow *govwifi.SlowDownError
	if !errors.As(err, &slow) {
		t.Errorf("error: %v", err)
	}
}

func TestNoMessageWithoutReference(t *testing.T) {
	t.Parallel()
	notify := &fakeNotify{}
	if err := (Once{Notify: notify, Budget: &fakeBudget{}}).Send(t.Context(), govwifi.Message{}); !IsPermanent(err) || len(notify.posted) != 0 {
		t.Errorf("error %v, posted %d", err, len(notify.posted))
	}
}

// A handler that nobody told about its delivery is careful.
func TestUnknownDeliveryIsNotFirst(t *testing.T) {
	t.Parallel()
	if DeliveryFrom(t.Context()).First {
		t.Error("first")
	}
}
