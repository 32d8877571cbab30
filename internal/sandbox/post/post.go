// Package post is what people send to the service: it keeps what they wrote, and hands
// each text and mail to the world outside as GOV.UK Notify and Amazon SES would.
package post

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/govwifi/user-signup/internal/outside"
)

// Letter is a text or a mail that somebody sent.
type Letter struct {
	// Trace finds it in the service's log.
	Trace string
	At    time.Time
	// From is a number or an address as the sender wrote it.
	From string
	// To are addresses; a text has none.
	To []string
	// Subject is a mail's; Text is what can be read of either.
	Subject, Text string
	// Status is what the webhook was answered, 0 if it was not.
	Status int

	event outside.Event
}

// IsText says whether it is a text, and no mail.
func (l Letter) IsText() bool { return l.To == nil }

// remembered is how many letters are kept.
const remembered = 500

// Office takes letters. It is safe for concurrent use.
type Office struct {
	world   *outside.World
	changed func()

	mu      sync.Mutex
	letters []Letter
}

// NewOffice opens an office; changed is called after each letter.
func NewOffice(world *outside.World, changed func()) *Office {
	return &Office{world: world, changed: changed}
}

// Letters are the latest letters, oldest first.
func (o *Office) Letters() []Letter {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.letters)
}

// Text sends a text to the service's number.
func (o *Office) Text(ctx context.Context, from, text string) (Letter, error) {
	return o.deliver(ctx, Letter{From: from, Text: text, event: o.world.Text(from, text)})
}

// Mail sends a mail, as it stands, to addresses of the service.
func (o *Office) Mail(ctx context.Context, raw []byte, from string, to []string) (Letter, error) {
	event, err := o.world.MailTo(raw, to, nil)
	if err != nil {
		return Letter{}, fmt.Errorf("post a mail: %w", err)
	}
	l := Letter{From: from, To: to, event: event}
	l.Subject, l.Text = read(raw)
	return o.deliver(ctx, l)
}

// ErrForgotten says that a letter is not kept any more, or never was.
var ErrForgotten = errors.New("that message is not kept any more")

// Again has the webhook of an earlier letter delivered once more, as its sender would
// who did not see the answer.
func (o *Office) Again(ctx context.Context, trace string) (Letter, error) {
	o.mu.Lock()
	i := slices.IndexFunc(o.letters, func(l Letter) bool { return l.Trace == trace })
	if i < 0 {
		o.mu.Unlock()
		return Letter{}, ErrForgotten
	}
	event := o.letters[i].event
	o.mu.Unlock()
	status, err := o.world.Deliver(ctx, event.With(traceHeader, newTrace()))
	return Letter{Status: status}, err
}

// traceHeader is AWS's load balancer's, whose part the office plays.
const traceHeader = "X-Amzn-Trace-Id"

func newTrace() string {
	random := make([]byte, 12)
	_, _ = rand.Read(random) // never fails
	return fmt.Sprintf("Root=1-%08x-%s", time.Now().Unix(), hex.EncodeToString(random))
}

// deliver posts a letter's webhook once. The letter is kept first, so that whoever
// looks never sees an answer before its question.
func (o *Office) deliver(ctx context.Context, l Letter) (Letter, error) {
	l.At, l.Trace = time.Now(), newTrace()
	o.mu.Lock()
	o.letters = append(o.letters, l)
	if extra := len(o.letters) - remembered; extra > 0 {
		o.letters = slices.Delete(o.letters, 0, extra)
	}
	o.mu.Unlock()
	status, err := o.world.Deliver(ctx, l.event.With(traceHeader, l.Trace))
	l.Status = status
	o.mu.Lock()
	if i := slices.IndexFunc(o.letters, func(kept Letter) bool { return kept.Trace == l.Trace }); i >= 0 {
		o.letters[i].Status = status
	}
	o.mu.Unlock()
	o.changed()
	return l, err
}
