// Package sponsormail reads a sponsor's mail into the guests it names.
//
// A mail is read once, as a stream, and only as far as its text lies: attachments
// are passed over undecoded, and nothing grows with the mail but the list of
// guests, which govwifi.MaxGuests bounds. Measured on 40 MB of attachment, of text, of
// nested multiparts and of addresses, reading takes at most 9 MB of heap
// (docs/decisions/0010).
package sponsormail

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// MaxBytes is how much of a mail is read, what SES accepts at most; the rest is
// ignored.
const MaxBytes = 40 << 20

// serviceNames are the local parts of the service's own addresses.
var serviceNames = []string{"sponsor", "signup", "enrol", "enroll"}

// Extract returns the guests named in a raw mail (RFC 5322), in the order of the
// mail and each once: the email addresses of every line, and phone numbers that
// have a line to themselves (docs/rules.md, Sponsor sign-up). A mail may name
// nobody. And it returns how many From headers the mail has, of which RFC 5322 (3.6) has
// exactly one: with several, the sender that somebody vouched for may be another's.
//
// Left out are the sponsor and the service's own addresses. These are the ones
// with a local part of serviceNames in a domain to which the mail was sent at such
// a local part, as the recipients (SES's, as written; may be nil) or the mail's
// To and Cc tell.
//
// A mail that is broken is read as far as it can be and is no error. Errors are
// govwifi.ErrTooManyGuests and, wrapped, those of r: then trying again may help.
func Extract(r io.Reader, sponsor govwifi.Contact, recipients []string) (guests []govwifi.Contact, froms int, err error) {
	walk := newParts(io.LimitReader(r, MaxBytes))
	scratch := newLineReader(nil)
	best := &collector{}
	for bestRank := absent; bestRank > ownPlain; {
		p, ok := walk.next()
		if !ok {
			break
		}
		if p.rank >= bestRank {
			continue
		}
		known := ownAddresses(slices.Concat(recipients, []string{walk.addressees}))
		known[strings.ToLower(string(sponsor))] = true
		c := &collector{known: known}
		readText(scratch, walk, p.header, c.line)
		// A part with nothing in it, as some clients put beside HTML, is no text.
		if c.hasText {
			best, bestRank = c, p.rank
		}
	}
	if err := walk.lines.failure(); err != nil {
		return nil, 0, fmt.Errorf("read mail: %w", err)
	}
	if best.tooMany {
		return nil, 0, govwifi.ErrTooManyGuests
	}
	return best.guests, walk.froms, nil
}

// ownAddresses are the service's addresses in the domains that the headers name,
// in lower case.
func ownAddresses(headers []string) map[string]bool {
	own := map[string]bool{}
	for _, header := range headers {
		header = strings.ToLower(header)
		for start, end, ok := nextAddress(header, 0); ok; start, end, ok = nextAddress(header, end) {
			local, domain, _ := strings.Cut(header[start:end], "@")
			if !slices.Contains(serviceNames, local) {
				continue
			}
			for _, name := range serviceNames {
				own[name+"@"+domain] = true
			}
		}
	}
	return own
}
