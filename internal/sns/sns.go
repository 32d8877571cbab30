// Package sns reads what Amazon SNS posts: it parses the envelope, verifies its
// signature, confirms subscriptions, and decodes the SES receipt inside. It knows
// nothing of jobs or HTTP routes; callers turn its three errors into answers
// (docs/contract.md, HTTP).
package sns

import "errors"

// What can be wrong with a message. Every error of this package wraps one of
// these, says the rest in one sentence, and repeats no text of the message.
var (
	// ErrMalformed: not what SNS or SES send; sending it again cannot help (400).
	ErrMalformed = errors.New("malformed message")
	// ErrForbidden: not shown to be from a topic of ours (403).
	ErrForbidden = errors.New("message not acceptable")
	// ErrUnavailable: AWS could not be asked, so nothing is known yet and the
	// sender must try again (503).
	ErrUnavailable = errors.New("AWS could not be asked")
)
