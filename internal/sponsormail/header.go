package sponsormail

import (
	"bytes"
	"maps"
	"mime"
	"strings"
)

// maxField is how much of a header field is looked at, in bytes.
const maxField = 16 << 10

// header is what the header of a mail or of a part says, as far as it matters
// for finding the text.
type header struct {
	// mediaType is in lower case: text/plain.
	mediaType string
	// params are those of Content-Type, keys in lower case.
	params map[string]string
	// encoding is the Content-Transfer-Encoding in lower case, empty for none.
	encoding string
	// attached says that it is an attachment: marked as one, or with a file name,
	// as mail clients send a text file that they show "inline".
	attached bool
	// addressees is To and Cc as written.
	addressees string
	// froms counts the From fields.
	froms int
}

// fields gathers the header fields of interest, of each as much as maxField.
// The first of two fields of one name counts, as in mail clients.
type fields struct {
	values map[string][]byte
	// open is the field that a continuation line belongs to, empty for one of
	// no interest.
	open string
	// froms counts the From fields, whose values do not matter.
	froms int
}

func newFields() *fields { return &fields{values: map[string][]byte{}} }

// start takes a line that begins a field; false if the line does not look like one.
func (f *fields) start(line []byte) bool {
	name, value, ok := bytes.Cut(line, []byte(":"))
	name = bytes.TrimRight(name, " \t")
	if !ok || !isFieldName(name) {
		return false
	}
	f.open = strings.ToLower(string(name))
	_, seen := f.values[f.open]
	switch f.open {
	case "content-type", "content-transfer-encoding", "content-disposition":
		if seen {
			f.open = ""
			return true
		}
	case "to", "cc":
		value = append([]byte(","), value...)
	case "from":
		f.froms++
		fallthrough
	default:
		f.open = ""
		return true
	}
	f.more(value)
	return true
}

// more adds a continuation line to the field that is open.
func (f *fields) more(line []byte) {
	value := f.values[f.open]
	if f.open == "" || len(value) > maxField {
		return
	}
	f.values[f.open] = append(append(value, ' '), bytes.TrimSpace(line)...)
}

// unfinished says that the open field expects more, so that a line which lost its
// indentation still belongs to it.
func (f *fields) unfinished() bool {
	return bytes.HasSuffix(f.values[f.open], []byte(";"))
}

// isFieldName is stricter than RFC 5322, so that text with a colon is not taken
// for a field.
func isFieldName(name []byte) bool {
	for _, c := range name {
		if c != '-' && c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return len(name) > 0
}

// header reads the fields. What cannot be understood is text/plain, as RFC 2045
// (5.2) has it; so is a header without Content-Type, unless fallback says otherwise.
func (f *fields) header(fallback string) header {
	mediaType, params := parseMediaType(string(f.values["content-type"]))
	if !strings.Contains(mediaType, "/") && mediaType != "multipart" {
		mediaType = fallback
	}
	disposition, extras := parseMediaType(string(f.values["content-disposition"]))
	encoding, _ := parseMediaType(string(f.values["content-transfer-encoding"]))
	_, named := params["name"]
	_, filed := extras["filename"]
	return header{
		mediaType:  mediaType,
		params:     params,
		encoding:   encoding,
		attached:   disposition == "attachment" || named || filed,
		addressees: string(f.values["to"]) + "," + string(f.values["cc"]),
		froms:      f.froms,
	}
}

// parseMediaType is mime.ParseMediaType for what mailers really write: where that
// one refuses the whole field for a stray semicolon, an unquoted = or a comment, or
// leaves out a name*= whose charset it does not know, this one keeps what it understands.
func parseMediaType(field string) (mediaType string, params map[string]string) {
	value, rest := cutParam(field)
	params = map[string]string{}
	for rest != "" {
		var param string
		param, rest = cutParam(rest)
		key, value, _ := strings.Cut(param, "=")
		// name*0= and name*=utf-8''… are forms of name=.
		key, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(key)), "*")
		if _, seen := params[key]; !seen {
			params[key] = plainValue(value)
		}
	}
	if mediaType, strict, err := mime.ParseMediaType(field); err == nil {
		maps.Copy(params, strict)
		return mediaType, params
	}
	return strings.ToLower(plainValue(value)), params
}

// cutParam cuts at the first semicolon outside quotes.
func cutParam(s string) (param, rest string) {
	quoted := false
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ';' && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// plainValue takes the quotes off a value, or what follows it: a comment.
func plainValue(value string) string {
	value = strings.TrimSpace(value)
	if inside, ok := strings.CutPrefix(value, `"`); ok {
		inside, _, _ = strings.Cut(inside, `"`)
		return inside
	}
	value, _, _ = strings.Cut(value, " ")
	return value
}
