package sponsormail

import (
	"bytes"
	"io"
	"strings"
)

// Limits on the structure of a mail, far beyond RFC 2046, which allows a boundary
// 70 characters, and beyond what mail clients do.
const (
	maxBoundary = 1000
	// maxParts is how many headers are read, of the mail and of its parts; what
	// follows is not. It limits nesting too.
	maxParts = 1000
)

// A rank says how well a part serves as the sponsor's words; the lowest wins.
// What is forwarded comes after all that the sponsor wrote, and text that no
// boundary sets apart comes last: it is usually "This is a multi-part message".
type rank int

const (
	ownPlain rank = iota
	ownHTML
	forwardedPlain
	forwardedHTML
	undelimited
	// absent is the rank of no part at all.
	absent
)

// part is one part of a mail that may hold its text.
type part struct {
	header
	rank rank
}

// place says where in a mail the next line belongs.
type place int

const (
	inHeader place = iota
	inBody
	// inEpilogue is behind a closing boundary: of no interest.
	inEpilogue
	atEnd
)

// level is a multipart that the current line is inside of.
type level struct {
	boundary  string
	forwarded bool
	// fallback is the media type of a part that names none.
	fallback string
	// begun says that its first boundary has come.
	begun bool
}

// parts walks through the parts of a mail in order, from one pass over its lines
// and without recursion: multiparts are a stack, and a boundary is found in it
// by one look-up however deep the stack is.
type parts struct {
	lines  *lineReader
	place  place
	levels []level
	// byBoundary gives the place in levels of each boundary.
	byBoundary map[string]int
	// forwarded says that the current header or body belongs to a message/rfc822.
	forwarded bool
	// isMail says that the header to be read is a whole mail's and not a part's:
	// the mail itself, or one that is forwarded. No mail is its own attachment.
	isMail bool
	// addressees is To and Cc of the mail itself, froms how many From headers it has.
	addressees string
	froms      int
	// headers counts those read, of the mail and of its parts.
	headers int
	// suspect is what may be the boundary of a multipart that names none, or
	// another one than it uses.
	suspect string
	// rest is what Read has not handed out of its line.
	rest []byte
}

func newParts(mail io.Reader) *parts {
	return &parts{lines: newLineReader(mail), byBoundary: map[string]int{}, isMail: true}
}

// next moves to the next part that may hold the text; its body is then what Read
// gives. ok is false when there are no more.
func (p *parts) next() (next part, ok bool) {
	for p.skipBody(); p.place != atEnd && p.headers < maxParts; p.skipBody() {
		p.headers++
		isMail := p.isMail
		h := p.readHeader()
		if isMail && !p.forwarded {
			p.addressees, p.froms = h.addressees, h.froms
		}
		plain, html := ownPlain, ownHTML
		if p.forwarded {
			plain, html = forwardedPlain, forwardedHTML
		}
		switch {
		case p.place != inBody || h.attached && !isMail:
		case h.mediaType == "text/plain":
			return part{header: h, rank: plain}, true
		case h.mediaType == "text/html":
			return part{header: h, rank: html}, true
		case h.mediaType == "message/rfc822":
			p.forwarded, p.isMail, p.place = true, true, inHeader
		case strings.HasPrefix(h.mediaType, "multipart"):
			p.enter(h)
			return part{rank: undelimited}, true
		}
	}
	return part{}, false
}

// enter goes into a multipart. One with the boundary of a multipart around it gets
// none: that boundary then divides the outer one.
func (p *parts) enter(h header) {
	l := level{boundary: strings.TrimRight(h.params["boundary"], " \t"), forwarded: p.forwarded, fallback: "text/plain"}
	if h.mediaType == "multipart/digest" {
		l.fallback = "message/rfc822"
	}
	if _, taken := p.byBoundary[l.boundary]; taken || len(l.boundary) > maxBoundary {
		l.boundary = ""
	}
	p.suspect = ""
	p.levels = append(p.levels, l)
	p.index(l.boundary)
}

// index remembers the innermost level under its boundary.
func (p *parts) index(boundary string) {
	if boundary != "" {
		p.byBoundary[boundary] = len(p.levels) - 1
	}
}

// pop leaves multiparts until only depth are left.
func (p *parts) pop(depth int) {
	for _, l := range p.levels[depth:] {
		delete(p.byBoundary, l.boundary)
	}
	p.levels = p.levels[:depth]
}

// skipBody passes over lines until a header begins or the mail ends.
func (p *parts) skipBody() {
	p.rest = nil
	for p.place == inBody || p.place == inEpilogue {
		p.line()
	}
}

// line returns the next line of the header or body that the walk is in. At its
// end (a boundary, or the mail's end) ok is false and place has moved on.
func (p *parts) line() (line []byte, first, ok bool) {
	line, first, ok = p.lines.next()
	switch {
	case !ok:
		p.place = atEnd
		return nil, false, false
	case first && (p.isBoundary(line) || p.isUnnamedBoundary(line)):
		return nil, false, false
	}
	return line, first, true
}

// isBoundary recognises a boundary of any multipart around the line, since an
// inner one may lack its end, and moves the walk there.
func (p *parts) isBoundary(line []byte) bool {
	text, dashes := bytes.CutPrefix(line, []byte("--"))
	if !dashes || len(p.levels) == 0 || len(text) > maxBoundary+8 {
		return false
	}
	text = bytes.TrimRight(text, " \t\r\n")
	if depth, ok := p.byBoundary[string(text)]; ok {
		p.pop(depth + 1)
		p.begin()
		return true
	}
	text, closing := bytes.CutSuffix(text, []byte("--"))
	depth, ok := p.byBoundary[string(text)]
	if closing && ok {
		p.pop(depth)
		p.place = inEpilogue
		if depth == 0 {
			p.place = atEnd
		}
		return true
	}
	return false
}

// begin starts a part of the innermost multipart.
func (p *parts) begin() {
	l := &p.levels[len(p.levels)-1]
	l.begun = true
	p.forwarded, p.isMail = l.forwarded, false
	p.place = inHeader
}

// isUnnamedBoundary finds the boundary of a multipart whose header does not say
// it, or says another: before its first part, a line of two dashes and something
// more, with a Content- field on the next line.
func (p *parts) isUnnamedBoundary(line []byte) bool {
	if len(p.levels) == 0 || p.place != inBody {
		return false
	}
	l := &p.levels[len(p.levels)-1]
	if l.begun {
		return false
	}
	const field = "content-"
	if p.suspect != "" && len(line) > len(field) && strings.EqualFold(string(line[:len(field)]), field) {
		delete(p.byBoundary, l.boundary)
		l.boundary = p.suspect
		p.index(l.boundary)
		p.lines.unread()
		p.begin()
		return true
	}
	p.suspect = ""
	if text, dashes := bytes.CutPrefix(line, []byte("--")); dashes && len(text) <= maxBoundary {
		p.suspect = string(bytes.TrimRight(text, " \t\r\n"))
	}
	return false
}

// readHeader reads a header and the empty line after it, and moves the walk into
// the body.
func (p *parts) readHeader() header {
	fallback := "text/plain"
	if !p.isMail {
		fallback = p.levels[len(p.levels)-1].fallback
	}
	f := newFields()
	for begun := false; ; {
		line, first, ok := p.line()
		blank := first && len(bytes.TrimRight(line, "\r\n")) == 0
		switch {
		case !ok:
			return f.header(fallback)
		case blank && p.isMail && !begun:
			// Empty lines before a mail's header are no part of it.
			continue
		case blank:
			p.place = inBody
			return f.header(fallback)
		case !first, line[0] == ' ', line[0] == '\t':
			f.more(line)
		case f.start(line):
		case f.unfinished():
			f.more(line)
		case !p.isMail || !begun && !isEnvelope(line):
			// The empty line is missing, or the whole header is.
			p.lines.unread()
			p.place = inBody
			return f.header(fallback)
		}
		begun = true
	}
}

// isEnvelope recognises the line that mailbox files put before a mail's header.
func isEnvelope(line []byte) bool {
	return bytes.HasPrefix(bytes.TrimPrefix(line, []byte(">")), []byte("From "))
}

// Read gives the body of the current part as it stands in the mail.
func (p *parts) Read(to []byte) (int, error) {
	if len(p.rest) == 0 {
		if p.place != inBody {
			return 0, io.EOF
		}
		line, _, ok := p.line()
		if !ok {
			return 0, io.EOF
		}
		p.rest = line
	}
	n := copy(to, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}
