// Package job holds every background job, one file each: payload, name, queue,
// patience, schedule, key and handler. A handler sees only interfaces of one to
// three methods, declared where it needs them, so that ingest can import the
// payloads without linking MySQL or GOV.UK Notify.
package job

import (
	"context"
	"time"
)

// Job is a payload that knows how it is to be worked on. Its JSON is a wire
// format: the worker of another release reads it (testdata/<name>.json).
type Job interface {
	// Spec is the same for every job of a type.
	Spec() Spec
	// Key names the event behind the job, never a person or a day that must be
	// able to try again: a second job with the key of an earlier one is not
	// queued. It is also the reference of the message that the job sends, and
	// holds no personal data.
	Key() string
	// Label is what the dashboard shows of the payload: whom it is about, masked.
	Label() string
	// WasRecovered says that an earlier job of the same event may have sent the
	// message already, as this one was found and not delivered, or enqueued again.
	WasRecovered() bool
}

// Queue names one of the three lines in which jobs wait. Each is served by places
// of its own, so no queue can take another's.
type Queue string

// The queues.
const (
	// Interactive: a person is looking at their phone.
	Interactive Queue = "interactive"
	// Batch: a person was told that it takes a while.
	Batch Queue = "batch"
	// Maintenance: nobody waits.
	Maintenance Queue = "maintenance"
)

// Queues lists all queues, most urgent first.
func Queues() []Queue { return []Queue{Interactive, Batch, Maintenance} }

// Spec is how the jobs of one type are worked on.
type Spec struct {
	// Name is the wire name: never changed, none a prefix of another.
	Name string
	// Queue is where the jobs wait.
	Queue Queue
	// Timeout ends one attempt. Above the longest call to Notify (35 s), or a
	// slow answer would be cut off half-way.
	Timeout time.Duration
	// Patience is how long a failing job is retried, counted from its
	// enqueuing, before it is archived for an operator.
	Patience time.Duration
}

const (
	// messageTimeout leaves room for one look-up and one message at 35 s each.
	messageTimeout = 90 * time.Second
	// wholeDay is the patience where a person waits: Notify or MySQL may be away for
	// hours, and late credentials are better than none.
	wholeDay = 24 * time.Hour
)

// Delivery is what the queue knows of the attempt that a handler is running.
type Delivery struct {
	// Key is the job's, for lines about the attempt.
	Key string
	// First says that no earlier attempt can have sent the job's message.
	First bool
	// Last says that the job is archived if this attempt fails.
	Last bool
	// Queue says how urgent the job is.
	Queue Queue
}

type deliveryKey struct{}

// WithDelivery gives a handler's context its delivery.
func WithDelivery(ctx context.Context, d Delivery) context.Context {
	return context.WithValue(ctx, deliveryKey{}, d)
}

// DeliveryFrom returns the context's delivery. Without one it is neither first nor
// last: the cautious reading.
func DeliveryFrom(ctx context.Context) Delivery {
	d, _ := ctx.Value(deliveryKey{}).(Delivery)
	return d
}

// asksFirst says whether a job that this delivery enqueues must ask Notify before it sends:
// an earlier delivery may have enqueued it, and the queue forgets a job a day after it is done.
func asksFirst(ctx context.Context, recovered bool) bool {
	return recovered || !DeliveryFrom(ctx).First
}
