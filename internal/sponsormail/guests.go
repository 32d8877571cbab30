package sponsormail

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/govwifi/user-signup/internal/govwifi"
)

const (
	// signatureMark is the line that sets off a signature.
	signatureMark = "-- "
	// maxAddress is in bytes and far beyond any mail system's limit. Without one,
	// a line of nonsense could take its megabytes into the queue.
	maxAddress = 1000
	// maxNumeric is how many lines are parsed as a number, valid or not, new or
	// repeated. It keeps 40 MB of digits from taking minutes.
	maxNumeric = 10 * govwifi.MaxGuests
)

var (
	// contentID is the beginning of cid:image001.png@01DB1F2A.3C4D5E60, by which
	// Outlook's plain text names a picture, up to where an address would start.
	contentID = regexp.MustCompile(`(?i)(?:^|[^\pL\pN])cid:[^\s<>()\[\]",;]*$`)
	// calendarDate is a day with separators, perhaps with a time; bare digits are told apart by
	// govwifi.ParsePhone.
	calendarDate = regexp.MustCompile(`^(?:\d{1,2}[./ \-\x{2010}-\x{2015}]\d{1,2}[./ \-\x{2010}-\x{2015}](?:19|20)?\d{2}|20\d{2}-\d{2}-\d{2})(?:[\s,]+[0-2]?\d[.:][0-5]\d)?$`)
	// listItem is a number behind a bullet, or behind the item's own number: left
	// in place, the 3 of "3. 07700 900123" would call Greece.
	listItem = regexp.MustCompile(`^(?:[*•·▪◦o]|\(?[1-9][0-9]{0,3}[.)])[\s\pZ]+(["'“<]?[+0(].*|(?:44[ .-]?)?7[0-9 .-]{9,})$`)
	// gluedItem is a UK mobile that follows the item's number without a space.
	gluedItem = regexp.MustCompile(`^\(?[1-9][0-9]{0,3}[.)]((?:0|(?:\+|00)?44[ .-]?)7(?:[ .-]?[0-9]){9})[.,;]?$`)
	// clockSpan is from one time of day to another: 09.00 - 17.00.
	clockSpan = regexp.MustCompile(`^[0-2]?[0-9]\.?[0-5][0-9]\s*[-\x{2010}-\x{2015}]\s*[0-2]?[0-9]\.?[0-5][0-9]$`)
)

// collector gathers the guests of one text, line by line.
type collector struct {
	// known are the contacts, in lower case, that are not to be added: the
	// sponsor, the service's own and the guests so far.
	known  map[string]bool
	guests []govwifi.Contact
	// hasText says that there was something to read.
	hasText bool
	// numeric counts the lines that were worth parsing as a number.
	numeric int
	// tooMany says that there are more than govwifi.MaxGuests.
	tooMany bool
}

// line takes the next line; it returns false when no further line matters.
func (c *collector) line(line string) (more bool) {
	line = tidy(line)
	if line == signatureMark {
		return false
	}
	trimmed := strings.TrimSpace(withoutLink(line))
	c.hasText = c.hasText || trimmed != ""
	if trimmed == "" || trimmed[0] == '>' {
		return true
	}
	if found := c.addresses(line); !found && isNumeric(trimmed) {
		if number, ok := phone(trimmed); ok {
			c.add(number)
		}
		c.numeric++
		c.tooMany = c.tooMany || c.numeric > maxNumeric
	}
	return !c.tooMany
}

// addresses adds every address in a line and says whether there was any.
func (c *collector) addresses(line string) (found bool) {
	end := 0
	for {
		start, stop, ok := nextAddress(line, end)
		if !ok {
			return found
		}
		before := line[end:start]
		end = stop
		last, _ := utf8.DecodeLastRuneInString(before)
		isTail := unicode.In(last, unicode.L, unicode.M, unicode.N)
		if isTail || contentID.MatchString(before) {
			continue
		}
		found = true
		if text := strings.TrimLeft(line[start:stop], "'."); text[0] != '@' {
			c.add(govwifi.Contact(text))
		}
	}
}

// nextAddress finds the next match, at or behind from, of
//
//	[A-Za-z0-9_+.'\-&]+@[a-zA-Z0-9.-]+\.[a-zA-Z]+
//
// (docs/rules.md, Sponsor sign-up). The regexp package takes twenty times as long,
// which a line of 40 MB makes felt.
func nextAddress(line string, from int) (start, end int, ok bool) {
	for at := from; ; at++ {
		next := strings.IndexByte(line[at:], '@')
		if next < 0 {
			return 0, 0, false
		}
		at += next
		start = at
		for start > from && (isWord(line[start-1]) || strings.IndexByte("_+'&", line[start-1]) >= 0) {
			start--
		}
		end = 0
		for i := at + 1; i < len(line) && isWord(line[i]); i++ {
			// The last letters that follow a dot, but not the @, end it.
			if isLetter(line[i]) && (end == i || line[i-1] == '.' && i-1 > at+1) {
				end = i + 1
			}
		}
		if start < at && end > 0 {
			return start, end, true
		}
	}
}

// isWord says whether c can stand in a domain.
func isWord(c byte) bool { return isLetter(c) || isDigit(c) || c == '.' || c == '-' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// add takes a contact, unless it is known.
func (c *collector) add(contact govwifi.Contact) {
	// Cloned, or each guest would keep its whole line in memory.
	contact = govwifi.Contact(strings.Clone(string(contact)))
	key := strings.ToLower(string(contact))
	switch {
	case c.known[key] || len(contact) > maxAddress:
	case len(c.guests) == govwifi.MaxGuests:
		c.tooMany = true
	default:
		c.known[key] = true
		c.guests = append(c.guests, contact)
	}
}

// tidy removes what cannot be seen (direction marks, zero-width spaces, zero
// bytes), makes hard spaces soft and typographic apostrophes plain.
func tidy(line string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r > 0 && r < utf8.RuneSelf:
			return r
		case r == 0, unicode.Is(unicode.Cf, r):
			return -1
		case r == '\u00a0', r == '\u2028', r == '\u2029':
			return ' '
		case r == '\u2018', r == '\u2019', r == '\u02bc':
			return '\''
		}
		return r
	}, line)
}

// withoutLink takes off what Outlook's plain text puts behind a number that is a link:
// 07700 900123<tel:07700900123>.
func withoutLink(line string) string {
	line = strings.TrimRight(line, " \t")
	if open := strings.LastIndexByte(line, '<'); open >= 0 && strings.HasSuffix(line, ">") && strings.HasPrefix(line[open:], "<tel:") {
		return line[:open]
	}
	return line
}

// phone is the number that a line is as a whole, but for bullets, quotes and stars.
func phone(line string) (number govwifi.Contact, ok bool) {
	line = strings.TrimSpace(line)
	if !isNumeric(line) || calendarDate.MatchString(line) || clockSpan.MatchString(line) {
		return "", false
	}
	if item := listItem.FindStringSubmatch(line); item != nil {
		line = item[1]
	} else if item := gluedItem.FindStringSubmatch(line); item != nil {
		line = item[1]
	}
	number, err := govwifi.ParsePhone(strings.Trim(line, " \t\"'“”<>;,*_"))
	return number, err == nil
}

// isNumeric says whether a line is worth parsing as a number, which takes a
// hundred times as long: six digits and no letter, but for an o as its bullet.
func isNumeric(line string) bool {
	const longest, fewest = 200, 6
	digits := 0
	for i := range min(len(line), longest) {
		switch {
		case isDigit(line[i]):
			digits++
		case isLetter(line[i]) && i > 0:
			return false
		}
	}
	return digits >= fewest && len(line) <= longest
}
