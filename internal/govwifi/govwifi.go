// Package govwifi is the domain in its own words: contacts, users and their
// credentials, which reply a text gets, messages and their templates, who may
// sponsor. It is pure: nothing in it reads a clock, a network or a disk, so every
// rule of docs/rules.md can be tested as a table.
package govwifi

import (
	"errors"
	"fmt"
	"time"
)

// Sentinel errors that adapters return and handlers decide on. Adapters wrap them
// with what was tried; errors.Is finds them again.
var (
	// ErrRefused: Notify refuses this message to this recipient and always will
	// (bad number, bad address, team-only key). Trying again cannot help.
	ErrRefused = errors.New("the recipient is refused by GOV.UK Notify")
	// ErrMisconfigured: our own set-up is at fault (key, template, reply-to
	// address, permission). An operator can put it right, so the job waits.
	ErrMisconfigured = errors.New("our GOV.UK Notify set-up is at fault")
	// ErrAmbiguous: the request may have taken effect although no answer said so
	// (time-out, cut connection, 5xx). Look before trying again.
	ErrAmbiguous = errors.New("the outcome is unknown")
	// ErrContactTooLong: over MaxContactLength characters; it fits no column.
	ErrContactTooLong = errors.New("the contact is over 100 characters")
	// ErrNotStorable: the contact holds characters that the database's columns
	// cannot (an emoji in a table of MySQL's old three-byte utf8). Trying again
	// cannot help.
	ErrNotStorable = errors.New("the contact holds characters that the database cannot store")
	// ErrNotFound: the thing asked for does not exist (an object, a user).
	ErrNotFound = errors.New("not found")
	// ErrUnreadable: a mail's headers name no sender, or more than one.
	ErrUnreadable = errors.New("the mail names no one sender")
)

// SlowDownError says that the other side wants no more requests for a while.
type SlowDownError struct {
	// Wait is how long to send nothing at all, counted from the answer.
	Wait time.Duration
	// OneKind says that it is about messages of this one's kind alone, such as texts abroad.
	OneKind bool
	// Err is what the other side said, for people.
	Err error
}

// Error says how long to wait and why.
func (e *SlowDownError) Error() string { return fmt.Sprintf("slow down for %s: %v", e.Wait, e.Err) }

// Unwrap gives the cause.
func (e *SlowDownError) Unwrap() error { return e.Err }
