package sponsormail

import (
	"bytes"
	"html"
	"io"
	"strings"
)

// readText calls yield with each line of a part's text, until it returns false.
// What is broken is read as far as it makes sense, so there is no error. The lines
// are scratch space, to be used for one part after the other.
func readText(lines *lineReader, body io.Reader, h header, yield func(line string) bool) {
	text := decodeCharset(decodeTransfer(body, h.encoding), h.params["charset"])
	switch {
	case h.mediaType == "text/html":
		text = newHTMLText(text)
		plain := yield
		yield = func(line string) bool { return plain(html.UnescapeString(line)) }
	case strings.EqualFold(h.params["format"], "flowed"):
		flow := &paragraph{yield: yield, deleteSpace: strings.EqualFold(h.params["delsp"], "yes")}
		defer flow.end()
		yield = flow.add
	}
	lines.reset(text)
	for quoted := false; ; {
		line, first, ok := lines.next()
		if !ok {
			return
		}
		if first {
			quoted = line[0] == '>'
		}
		// The further pieces of a long line are quoted if its beginning is.
		if (first || !quoted) && !yield(string(bytes.TrimRight(line, "\r\n"))) {
			return
		}
	}
}

// paragraph joins the lines of a format=flowed text (RFC 3676): a line that ends
// in a space goes on in the next one.
type paragraph struct {
	yield       func(line string) bool
	deleteSpace bool
	lines       []string
	size        int
}

// add takes the next line; it returns what yield returned.
func (p *paragraph) add(line string) (more bool) {
	if strings.HasPrefix(line, ">") || line == signatureMark {
		return p.end() && p.yield(line)
	}
	line = strings.TrimPrefix(line, " ")
	text, soft := strings.CutSuffix(line, " ")
	if soft && p.deleteSpace {
		line = text
	}
	p.lines = append(p.lines, line)
	p.size += len(line)
	if soft && p.size < windowBytes {
		return true
	}
	return p.end()
}

// end yields the paragraph. Numbers on lines of their own, each with a space that
// the sponsor typed after it, are not one number.
func (p *paragraph) end() (more bool) {
	lines := p.lines
	joined := strings.Join(lines, "")
	p.lines, p.size = nil, 0
	if len(lines) == 0 {
		return true
	}
	if _, ok := phone(joined); ok || !allPhones(lines) {
		return p.yield(joined)
	}
	for _, line := range lines {
		if !p.yield(line) {
			return false
		}
	}
	return true
}

func allPhones(lines []string) bool {
	for _, line := range lines {
		if _, ok := phone(line); !ok && line != "" {
			return false
		}
	}
	return true
}
