// Package fleet is what all workers share in Redis: the guard against answering a
// machine for ever, the tally of a sponsor's guests, and the budget of messages.
//
// Each decision is one Lua script, so it is one round trip and atomic however many
// workers ask, and each script's keys lie in one cluster slot. Redis 6.2 and later
// will do. No type here logs; all are safe for any number of goroutines. What is
// lost with Redis is forgotten, never wrong: the guard answers, the budget is full,
// and a batch that is not found is said to be so.
package fleet

// Sealer keeps personal data unreadable in Redis; *queue.Sealer is the one outside
// tests, nil where sealing is off.
type Sealer interface {
	// Seal encrypts for a purpose; opening for another fails. Where sealing is off
	// it is the identity.
	Seal(purpose string, clear []byte) []byte
	// Open reverses Seal with whichever of the keys fits; without keys it fails.
	Open(purpose string, sealed []byte) ([]byte, error)
	// Pseudonym is a short stable id that cannot be guessed back.
	Pseudonym(text string) string
}
