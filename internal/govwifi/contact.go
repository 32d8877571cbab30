package govwifi

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
)

// MaxContactLength is the width in characters of the column that holds a contact
// (docs/contract.md, Data).
const MaxContactLength = 100

// Contact is an email address, its letter case kept, or a phone number in E.164.
// Printing one (%s, %v, %q, slog) gives its masked form, so that it can stand in
// an error or a log line; string(c) is the address itself.
type Contact string

// Errors of the parsers below. They never repeat the text that was refused.
var (
	ErrNoAddress = errors.New("holds no email address")
	ErrNoNumber  = errors.New("is not a phone number")
)

// String is the masked form, as Mask gives it; but Mask has to guess where an address
// begins, and here all of it is one.
func (c Contact) String() string {
	local, domain, isEmail := cutLast(string(c), "@")
	if !isEmail {
		return Mask(string(c))
	}
	return firstRune(local) + "***@" + maskDomain(domain)
}

// GoString keeps %#v from printing the address.
func (c Contact) GoString() string { return fmt.Sprintf("Contact(%s)", c) }

// LogValue is the masked form.
func (c Contact) LogValue() slog.Value { return slog.StringValue(c.String()) }

// IsPhone says whether the contact is a phone number; otherwise it is an email
// address, which may begin with a + too.
func (c Contact) IsPhone() bool {
	return strings.HasPrefix(string(c), "+") && !strings.Contains(string(c), "@")
}

// Equal compares without letter case: addresses that differ only in case are one
// contact. Accents do distinguish, whatever a database's collation says.
func (c Contact) Equal(other Contact) bool { return strings.EqualFold(string(c), string(other)) }

// Storable returns ErrContactTooLong if the contact fits no column.
func (c Contact) Storable() error {
	if utf8.RuneCountInString(string(c)) > MaxContactLength {
		return ErrContactTooLong
	}
	return nil
}

// Domain is the part behind the last @ in lower case, empty for a phone number.
func (c Contact) Domain() string {
	_, domain, _ := cutLast(string(c), "@")
	return strings.ToLower(domain)
}

// mailbox finds an address in a header too broken for net/mail. The local part
// takes what the sign-up allow-list could ever accept and a little more.
var mailbox = regexp.MustCompile(`[^\s<>()\[\],;:"@]+@[^\s<>()\[\],;:"@]+\.[^\s<>()\[\],;:"@.]+`)

// What else there is in such a header: names in quotes, comments, addresses in angle
// brackets, and whatever follows an @.
var (
	asides    = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.)*\)`)
	angled    = regexp.MustCompile(`<([^<>]*@[^<>]*)>`)
	anyDomain = regexp.MustCompile(`@([^\s<>()\[\],;:"@]*)`)
)

// ParseEmail returns the first mailbox of a From header, unfolded and without its
// display name. It fails with ErrNoAddress.
func ParseEmail(header string) (Contact, error) {
	unfolded := unfold(header)
	if list := mailboxes(unfolded); len(list) > 0 {
		return emailContact(list[0].Address)
	}
	// An address in angle brackets is the address, whatever its display name looks
	// like. What is in quotes is a display name, what is in parentheses a comment.
	bare := asides.ReplaceAllString(unfolded, "")
	if inside := angled.FindStringSubmatch(bare); inside != nil {
		return emailContact(strings.TrimSpace(inside[1]))
	}
	return emailContact(mailbox.FindString(bare))
}

func unfold(header string) string { return strings.Join(strings.Fields(header), " ") }

// mailboxes reads a From header as RFC 5322 says; nil if it breaks its grammar.
func mailboxes(unfolded string) []*mail.Address {
	// A name's charset is no matter of grammar; without this, one that net/mail does not
	// know is an error. The name itself is not used.
	undecoded := func(_ string, text io.Reader) (io.Reader, error) { return text, nil }
	parser := mail.AddressParser{WordDecoder: &mime.WordDecoder{CharsetReader: undecoded}}
	list, _ := parser.ParseList(unfolded) // with an error there is no list
	return list
}

// domains are all that anybody may take for the domain of a From header, in lower case:
// of a header that follows RFC 5322 those of its mailboxes, else what follows each @.
func domains(header string) (found []string, wellFormed bool) {
	unfolded := unfold(header)
	list := mailboxes(unfolded)
	for _, m := range list {
		found = append(found, Contact(m.Address).Domain())
	}
	if list == nil {
		for _, match := range anyDomain.FindAllStringSubmatch(unfolded, -1) {
			found = append(found, strings.ToLower(match[1]))
		}
	}
	slices.Sort(found)
	return slices.Compact(found), list != nil
}

func emailContact(address string) (Contact, error) {
	local, domain, ok := cutLast(address, "@")
	if !ok || local == "" || domain == "" || !utf8.ValidString(address) || strings.ContainsFunc(address, unprintable) {
		return "", ErrNoAddress
	}
	return Contact(address), nil
}

func unprintable(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

// cutLast is strings.Cut around the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// digitsOnly is what remains of a number once its decoration is gone: E.164 has 15 digits
// at most, behind a + or a 00.
var digitsOnly = regexp.MustCompile(`^(?:\+|00)?[0-9]{6,15}$`)

var brackets = strings.NewReplacer("(", "", ")", "", "[", "", "]", "")

// ukMobile is how nearly all are written. What the library would say of one is known, and
// asking it is most of what it costs to read a text.
var ukMobile = regexp.MustCompile(`^(?:\+44|0044|44|0)?7[0-9]{9}$`)

// date is a number that people write for a day, not a phone: 20260115.
var date = regexp.MustCompile(`^(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$`)

// ParsePhone returns the number in E.164, or ErrNoNumber. It takes what people
// write (docs/rules.md, Phone numbers): possible is enough, since Ofcom's drama
// numbers are not valid, and Notify has the last word.
func ParsePhone(text string) (Contact, error) {
	number := strings.Map(dropDecoration, text)
	number = strings.Replace(number, "+44(0)", "+44", 1)
	number = brackets.Replace(number)
	number = strings.TrimRight(number, ",")
	if !digitsOnly.MatchString(number) || date.MatchString(number) {
		return "", ErrNoNumber
	}
	if ukMobile.MatchString(number) {
		return Contact("+44" + number[len(number)-10:]), nil
	}
	for _, candidate := range readings(number) {
		parsed, err := phonenumbers.Parse(candidate, "GB")
		if err == nil && phonenumbers.IsPossibleNumberWithReason(parsed) == phonenumbers.IS_POSSIBLE {
			return Contact(phonenumbers.Format(parsed, phonenumbers.E164)), nil
		}
	}
	return "", ErrNoNumber
}

// IsWrittenAs says whether the text is a way to write this phone number. Most are not,
// and the last digits show it at less cost than ParsePhone.
func (c Contact) IsWrittenAs(text string) bool {
	if lastDigits(text) != lastDigits(string(c)) {
		return false
	}
	number, err := ParsePhone(text)
	return err == nil && number == c
}

// lastDigits are the last four, all that has the same place however a number is written.
func lastDigits(text string) (last [4]byte) {
	for i, n := len(text)-1, 0; i >= 0 && n < len(last); i-- {
		if text[i] >= '0' && text[i] <= '9' {
			last[n] = text[i]
			n++
		}
	}
	return last
}

// dropDecoration removes what carries no meaning in a number: white space,
// invisible marks, dots and dashes.
func dropDecoration(r rune) rune {
	if unicode.IsSpace(r) || unicode.In(r, unicode.Cf, unicode.Pd) || r == '.' || r == '\u2212' {
		return -1
	}
	return r
}

// readings lists what a number may mean, likeliest first: as written, then with
// the + that people leave out.
func readings(number string) []string {
	switch {
	case strings.HasPrefix(number, "+"):
		return []string{number}
	case strings.HasPrefix(number, "00"):
		return []string{"+" + number[2:]}
	case strings.HasPrefix(number, "0"):
		return []string{number}
	case len(number) == 10 && number[0] == '7':
		return []string{"+44" + number}
	}
	return []string{"+" + number}
}
