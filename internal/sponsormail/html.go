package sponsormail

import (
	"bufio"
	"bytes"
	"io"
	"strings"
)

// htmlText gives the visible text of an HTML document in UTF-8, a line per block
// element, white space folded, entities still to be decoded. It works byte by
// byte: golang.org/x/net/html holds each tag, comment and text whole, and one
// picture in a data: URI may be 40 MB.
type htmlText struct {
	in  *bufio.Reader
	out bytes.Buffer
	// last is the byte handed out last.
	last byte
	err  error
	// inHead is true between <head> and whatever ends it.
	inHead bool
	// pre and quote count the elements that keep line ends, and those that quote
	// an earlier mail, around the current byte.
	pre, quote int
}

func newHTMLText(document io.Reader) *htmlText {
	return &htmlText{in: bufio.NewReader(document), last: '\n'}
}

// names makes a set of element names.
func names(list string) map[string]bool {
	set := map[string]bool{}
	for name := range strings.FieldsSeq(list) {
		set[name] = true
	}
	return set
}

var (
	// blocks are the elements that begin and end a line. Table cells are among
	// them, so that a number in a cell stands by itself.
	blocks = names(`address article aside blockquote body br caption center dd details dialog dir div dl dt
		fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr html legend li listing main menu nav ol
		option p pre section select summary table tbody td tfoot th thead tr ul`)
	// unseen are the elements whose content is not text to be read.
	unseen = names("iframe noembed noframes script style template title xmp")
	// keepsLines are the elements in which white space is kept.
	keepsLines = names("listing pre textarea")
)

// Read gives the text; it fails only at the end.
func (h *htmlText) Read(to []byte) (int, error) {
	for h.out.Len() < len(to) && h.err == nil {
		h.step()
	}
	if h.out.Len() == 0 {
		return 0, h.err
	}
	return h.out.Read(to)
}

// byte reads one byte, 0 at the end.
func (h *htmlText) byte() byte {
	c, err := h.in.ReadByte()
	if err != nil {
		h.err = io.EOF
	}
	return c
}

// step reads a byte of text, or one piece of mark-up.
func (h *htmlText) step() {
	switch c := h.byte(); {
	case h.err != nil:
	case c == '<':
		h.markup()
	case isBlank(c) && h.pre == 0:
		if h.last != ' ' && h.last != '\n' {
			h.put(' ')
		}
	default:
		h.put(c)
	}
}

func isBlank(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func (h *htmlText) put(c byte) {
	if h.inHead || h.quote > 0 {
		return
	}
	h.out.WriteByte(c)
	h.last = c
}

// markup reads what a < introduces.
func (h *htmlText) markup() {
	ahead, _ := h.in.Peek(3)
	switch {
	case bytes.Equal(ahead, []byte("!--")):
		_, _ = h.in.Discard(1)
		h.comment()
	case len(ahead) > 0 && isLetter(ahead[0]):
		h.tag(false)
	case len(ahead) > 1 && ahead[0] == '/' && isLetter(ahead[1]):
		_, _ = h.in.Discard(1)
		h.tag(true)
	case len(ahead) > 0 && (ahead[0] == '!' || ahead[0] == '?' || ahead[0] == '/'):
		for c := h.byte(); c != '>' && h.err == nil; c = h.byte() {
		}
	default:
		h.put('<')
	}
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// comment passes over a comment; its opening dashes may be its closing ones.
func (h *htmlText) comment() {
	for dashes := 0; h.err == nil; {
		switch c := h.byte(); {
		case c == '-':
			dashes++
		case c == '>' && dashes >= 2:
			return
		default:
			dashes = 0
		}
	}
}

// tag reads a tag from its name on and does what it means.
func (h *htmlText) tag(closing bool) {
	name, attributes := h.readTag()
	if blocks[name] || name == "head" && closing {
		h.inHead = false
	}
	if h.last != '\n' && blocks[name] {
		h.put('\n')
	}
	switch {
	case name == "head":
		h.inHead = !closing
	case name == "blockquote":
		count(&h.quote, closing, h.quote > 0 || isCitation(attributes))
	case keepsLines[name]:
		count(&h.pre, closing, true)
	case unseen[name] && !closing:
		h.skipTo(name)
	}
}

// count keeps one of the counters of elements around the current byte.
func count(counter *int, closing, counts bool) {
	switch {
	case !closing && counts:
		*counter++
	case closing && *counter > 0:
		*counter--
	}
}

// isCitation recognises the quotation of an earlier mail, the > of HTML, by the
// marks of Apple Mail, Thunderbird and Gmail; without one, a blockquote is mere
// indentation.
func isCitation(attributes string) bool {
	return strings.Contains(attributes, "cite") || strings.Contains(attributes, "gmail_quote")
}

// readTag reads to the end of a tag and gives its name and the beginning of its
// attributes, in lower case. A > in a quoted value does not end the tag.
func (h *htmlText) readTag() (name, attributes string) {
	const enough = 1024
	var text []byte
	var quote byte
	afterEquals := false
	for c := h.byte(); h.err == nil && (c != '>' || quote != 0); c = h.byte() {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case afterEquals && (c == '"' || c == '\''):
			quote = c
		}
		afterEquals = quote == 0 && (c == '=' || afterEquals && isBlank(c))
		if len(text) < enough {
			text = append(text, c)
		}
	}
	lower := strings.ToLower(string(text))
	end := strings.IndexAny(lower, " \t\r\n\f/")
	if end < 0 {
		return lower, ""
	}
	return lower[:end], lower[end:]
}

// skipTo passes over everything up to the closing tag of the name.
func (h *htmlText) skipTo(name string) {
	for h.err == nil {
		if h.byte() != '<' {
			continue
		}
		ahead, _ := h.in.Peek(len(name) + 1)
		if strings.EqualFold(string(ahead), "/"+name) {
			_, _ = h.in.Discard(1)
			h.readTag()
			return
		}
	}
}
