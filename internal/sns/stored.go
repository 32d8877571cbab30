package sns

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// sesFields are the headers that SES itself puts on top of a mail that it stores:
//
//	Return-Path: <envelope sender>
//	Received: from … by inbound-smtp.<region>.amazonaws.com with SMTP id <messageId> for <recipient>; <date>
//	X-SES-Spam-Verdict: PASS
//	X-SES-Virus-Verdict: PASS
//	Received-SPF: pass (…)
//	Authentication-Results: amazonses.com; spf=pass …; dkim=pass header.i=…; dmarc=pass header.from=…;
//	X-SES-RECEIPT: …
//	X-SES-DKIM-SIGNATURE: …
//
// What follows them is the sender's, who may have written the same names.
var sesFields = []string{"return-path", "received", "x-ses-spam-verdict", "x-ses-virus-verdict", "received-spf",
	"authentication-results", "x-ses-receipt", "x-ses-dkim-signature"}

// lastSESField is the last that SES writes.
const lastSESField = "x-ses-dkim-signature"

// ReadStored gathers from the head of a mail in SES's bucket what SES's notice of it would
// say; the head may be cut off anywhere. Of SES's own fields only those count that stand at
// the very top, each once: a sender can forge them further down and nowhere else. Fails
// with ErrMalformed if the mail has not exactly one From header.
func ReadStored(head []byte) (Receipt, error) {
	fields := headerFields(head)
	ours := map[string]string{}
	for _, f := range fields {
		_, twice := ours[f.name]
		if twice || !slices.Contains(sesFields, f.name) {
			break
		}
		ours[f.name] = f.value
		if f.name == lastSESField {
			break
		}
	}
	values := map[string][]string{}
	for _, f := range fields[len(ours):] {
		values[f.name] = append(values[f.name], f.value)
	}
	if len(values["from"]) != 1 || strings.TrimSpace(values["from"][0]) == "" {
		return Receipt{}, fmt.Errorf("%w: the stored mail has %d From headers", ErrMalformed, len(values["from"]))
	}
	r := Receipt{
		From:       values["from"][0],
		MailFrom:   strings.Trim(ours["return-path"], "<> "),
		Recipients: envelopeRecipients(ours["received"]),
		Verdicts:   storedVerdicts(ours),
	}
	if len(r.Recipients) == 0 {
		for _, name := range []string{"to", "cc"} {
			for _, value := range values[name] {
				r.Recipients = append(r.Recipients, addresses(value)...)
			}
		}
	}
	return r, nil
}

// headerField is one header, its name in lower case and its value unfolded.
type headerField struct{ name, value string }

// headerFields reads as many headers as there are. A line that is none ends them, as does
// the empty line; a header that was cut off counts as far as it goes.
func headerFields(head []byte) []headerField {
	var fields []headerField
	lines := bufio.NewReader(bytes.NewReader(head))
	for {
		line, err := lines.ReadString('\n')
		text := strings.TrimRight(line, "\r\n")
		name, value, isField := strings.Cut(text, ":")
		folded := text != "" && (text[0] == ' ' || text[0] == '\t')
		switch {
		case folded && len(fields) > 0:
			last := &fields[len(fields)-1]
			last.value += " " + strings.TrimSpace(text)
		case isField && !folded && !strings.ContainsAny(strings.TrimRight(name, " \t"), " \t"):
			fields = append(fields, headerField{strings.ToLower(strings.TrimRight(name, " \t")), strings.TrimSpace(value)})
		default:
			return fields
		}
		if err == io.EOF {
			return fields
		}
	}
}

// receivedBySES finds the envelope recipients in the Received header that SES writes.
var receivedBySES = regexp.MustCompile(`\bby inbound-smtp\.[a-z0-9-]+\.amazonaws\.com\b.*\bfor ([^;]+);`)

func envelopeRecipients(received string) []string {
	found := receivedBySES.FindStringSubmatch(received)
	if found == nil {
		return nil
	}
	return addresses(found[1])
}

// storedVerdicts are SES's words for what its headers say.
func storedVerdicts(ours map[string]string) Verdicts {
	v := Verdicts{Spam: strings.ToUpper(ours["x-ses-spam-verdict"]), Virus: strings.ToUpper(ours["x-ses-virus-verdict"])}
	server, results, _ := strings.Cut(ours["authentication-results"], ";")
	if !strings.EqualFold(strings.TrimSpace(server), "amazonses.com") {
		return v
	}
	for _, result := range strings.Split(withoutAsides(results), ";") {
		method, rest, _ := strings.Cut(strings.TrimSpace(result), "=")
		word, _, _ := strings.Cut(rest, " ")
		status := statusOf(word)
		switch strings.ToLower(method) {
		case "spf": // the first result
			v.SPF = cmp.Or(v.SPF, status)
		case "dmarc": // the last
			v.DMARC = status
		case "dkim": // one for each signature, of which one must hold
			if v.DKIM != "PASS" {
				v.DKIM = status
			}
		}
	}
	return v
}

// asides are comments and quoted texts, which may hold what a stranger chose: an envelope
// sender such as "; dmarc=pass"@example.com. They do not nest in what SES writes.
var asides = regexp.MustCompile(`\([^()]*\)|"(?:[^"\\]|\\.)*"`)

func withoutAsides(text string) string { return asides.ReplaceAllString(text, "") }

// statusOf translates a result of RFC 8601.
func statusOf(word string) string {
	switch strings.ToLower(word) {
	case "pass":
		return "PASS"
	case "fail":
		return "FAIL"
	case "temperror", "permerror":
		return "PROCESSING_FAILED"
	}
	return "GRAY"
}

// serviceNames are the local parts that SES's rule for this service lists (docs/facts.md,
// C6). The same bucket holds mail to other addresses, which others answer.
var serviceNames = []string{"signup", "enrol", "enroll", "sponsor"}

// Ours says whether one of the recipients is an address of this service.
func (r Receipt) Ours() bool {
	return slices.ContainsFunc(r.Recipients, func(recipient string) bool {
		local, _, found := strings.Cut(recipient, "@")
		return found && slices.Contains(serviceNames, strings.ToLower(local))
	})
}
