package govwifi

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Hiding too much is the safe mistake: an address reaches back to the last white
// space, quote or "<", so that no odd character of a local part lets the rest of it
// stand, and a number takes every digit that decoration alone keeps apart.
const (
	// atSign is an @, or how URLs, JSON and HTML may spell one.
	atSign = `(?:[@＠﹫]|%(?:25)*40|\\u0040|&#64;|&#x40;)`
	// quotedLocal is a local part in quotes, themselves quoted perhaps.
	quotedLocal = `\\"[^"\n]*\\"|"(?:[^"\\\n]|\\.)*"`
	domainRune  = `[0-9A-Za-z_*%\pL\pM\pN\p{So}\p{Cf}\x{FFFD}]`
	domainRunes = `(?:` + domainRune + `|[.-])`
	// decoration is what people put between the digits of a number, a URL's spaces
	// included.
	decoration = `(?:[\s\pZ\p{Cf}\p{Pd}.()\[\]+\x{2212}]|%20)*`
)

var (
	atSigns = regexp.MustCompile(atSign)
	address = regexp.MustCompile(`(?:` + quotedLocal + `|[^\s\pZ\p{Cc}"<]*?)(?:` + atSign + domainRunes + `*)*` +
		atSign + `(?:\[[^\s\]]*\]|[.-]*` + domainRune + domainRunes + `*)`)
	module = regexp.MustCompile(`^[^@%\\&]*` + moduleVersion + `$`)

	// number is what looks like one, its last alternative; those before it are ids,
	// times and addresses of memory, which operators search for. Nine digits are a
	// number in whatever company; behind a plus, six.
	number = regexp.MustCompile(strings.Join([]string{
		`(?i:\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b)`,
		`\b(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})\b`,
		`\b0x[0-9a-f]{1,16}\b`,
		moduleVersion + `\b`,
		`\b(?:(?:19|20)[0-9]{2}-[01][0-9]-[0-3][0-9][T ])?[0-2][0-9]:[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?(?:Z|[+-][0-2][0-9]:?[0-5][0-9])?\b`,
		`\b(?:19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]\b`,
		`\b[0-9]{1,4}\.[0-9]{1,9}(?:ns|µs|ms|s)\b`,
		`\bError [0-9]{4} \([0-9A-Z]{5}\)`, // MySQL's
		`(\+` + decoration + `\p{Nd}(?:` + decoration + `\p{Nd}){5,}|\p{Nd}(?:` + decoration + `\p{Nd}){8,})`,
	}, "|"))
	// noNumber is, as a whole, the time in the name of a file (20261122120000) or an
	// IP address.
	noNumber = regexp.MustCompile(`^(?:20[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]|` +
		octet + `(?:\.` + octet + `){3})$`)
)

// e164 is a number as the service itself writes it.
var e164 = regexp.MustCompile(`^\+[0-9]{6,15}$`)

// moduleVersion is what follows the path of a Go module: stack traces stay readable.
const moduleVersion = `@v[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}(?:-(?:0\.)?[0-9]{14}-[0-9a-f]{12})?`

const octet = `(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])`

// Mask hides every email address and phone number in a text: j***@d***.gov.uk and
// +4477*****123. It is the one place that masks; logs, errors, metrics and labels
// pass through it (docs/contract.md, Logs and metrics). Masking twice changes nothing.
//
// It finds contacts by their shape, so it can know neither a display name nor a
// number of eight digits or less without a plus. Whoever prints a header prints its
// ParseEmail instead, and a Contact always has its plus.
func Mask(text string) string {
	// Most texts in logs are short words: the searches are worth avoiding.
	if mayHoldAtSign(text) && atSigns.MatchString(text) {
		text = address.ReplaceAllStringFunc(text, maskAddress)
	}
	if !mayHoldNumber(text) {
		return text
	}
	return maskNumbers(text)
}

// mayHoldAtSign is true for every text that atSign matches, and few others.
func mayHoldAtSign(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		return r == '@' || r == '%' || r == '\\' || r == '&' || r >= utf8.RuneSelf
	})
}

// shortestNumber is how many digits a number has at least.
const shortestNumber = 6

// mayHoldNumber is true for every text that number matches with its last alternative,
// and few others: so many digits follow each other with nothing between them but what
// might be decoration.
func mayHoldNumber(text string) bool {
	run := 0
	for _, r := range text {
		switch {
		case unicode.IsDigit(r):
			run++
		case r == '_' || r == '*' || unicode.IsLetter(r):
			run = 0
		}
		if run == shortestNumber {
			return true
		}
	}
	return false
}

func digits(text string) (n int) {
	for _, r := range text {
		if unicode.IsDigit(r) {
			n++
		}
	}
	return n
}

// maskAddress keeps the first letter of the local part and of the domain, and of the
// domain's end what says which kind of organisation it is.
func maskAddress(text string) string {
	if module.MatchString(text) {
		return text
	}
	signs := atSigns.FindAllStringIndex(text, -1)
	last := signs[len(signs)-1]
	before, domain := text[:last[0]], strings.TrimRight(text[last[1]:], ".-")
	after := text[last[1]+len(domain):] // the end of a sentence
	local := strings.TrimLeft(before, "\"'`\\(<[{,;:")
	return before[:len(before)-len(local)] + firstRune(local) + "***@" + maskDomain(domain) + after
}

func maskDomain(domain string) string {
	if strings.HasPrefix(domain, "[") {
		return "***"
	}
	labels := strings.Split(domain, ".")
	kept, n := "", len(labels)
	if n > 1 && isLabel(labels[n-1]) {
		kept = "." + labels[n-1]
		// The second label is the kind where it is short, as in gov.uk and co.uk.
		// Otherwise it may be somebody's name.
		if n > 2 && isLabel(labels[n-2]) && len(labels[n-2]) <= 3 {
			kept = "." + labels[n-2] + kept
		}
	}
	return firstRune(labels[0]) + "***" + kept
}

// isLabel says whether the label is a word of ASCII letters.
func isLabel(s string) bool {
	isOther := func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }
	return s != "" && !strings.ContainsFunc(s, isOther)
}

// firstRune passes over what an earlier masking left.
func firstRune(s string) string {
	s = strings.TrimLeft(s, "*")
	_, size := utf8.DecodeRuneInString(s)
	return s[:size]
}

func maskNumbers(text string) string {
	if e164.MatchString(text) {
		return maskNumber(text)
	}
	var masked strings.Builder
	done := 0
	for _, at := range number.FindAllStringSubmatchIndex(text, -1) {
		if at[2] < 0 || noNumber.MatchString(text[at[2]:at[3]]) {
			continue
		}
		masked.WriteString(text[done:at[2]])
		masked.WriteString(maskNumber(text[at[2]:at[3]]))
		done = at[3]
	}
	return masked.String() + text[done:]
}

// maskNumber leaves country and operator at one end, and at the other what a person
// who knows the number knows it by. Decoration stays: without it two masked numbers
// might become one.
func maskNumber(number string) string {
	number = strings.ReplaceAll(number, "%20", " ")
	n := digits(number)
	head, tail := 4, 3
	if n < 10 {
		head, tail = 2, 1
	}
	seen := 0
	return strings.Map(func(r rune) rune {
		if !unicode.IsDigit(r) {
			return r
		}
		seen++
		if seen > head && seen <= n-tail {
			return '*'
		}
		return r
	}, number)
}
