package sponsormail

import (
	"bufio"
	"bytes"
	"io"
)

// decodeTransfer undoes a Content-Transfer-Encoding. One that is unknown is left
// as it stands: what can be read will be. The standard library's decoders give up
// at the first broken byte, so these are our own.
func decodeTransfer(body io.Reader, encoding string) io.Reader {
	switch encoding {
	case "quoted-printable":
		return &quotedPrintable{in: bufio.NewReader(body)}
	case "base64":
		return &base64{in: bufio.NewReader(body)}
	}
	return body
}

// quotedPrintable decodes RFC 2045 (6.7); an = that introduces nothing stands for
// itself.
type quotedPrintable struct{ in *bufio.Reader }

// Read decodes; it fails only at the end.
func (q *quotedPrintable) Read(to []byte) (n int, err error) {
	for n < len(to) {
		c, err := q.in.ReadByte()
		if err != nil {
			return n, err
		}
		if c == '=' {
			var given bool
			if c, given = q.escaped(); !given {
				continue
			}
		}
		to[n] = c
		n++
	}
	return n, nil
}

// escaped reads what follows an =: the byte that it stands for, if any.
func (q *quotedPrintable) escaped() (c byte, given bool) {
	const longest = 80 // a soft line break may follow some stray spaces
	ahead, _ := q.in.Peek(2)
	if len(ahead) == 2 && isHex(ahead[0]) && isHex(ahead[1]) {
		_, _ = q.in.Discard(2)
		return fromHex(ahead[0])<<4 | fromHex(ahead[1]), true
	}
	ahead, err := q.in.Peek(longest)
	blank := len(ahead) - len(bytes.TrimLeft(ahead, " \t"))
	switch rest := ahead[blank:]; {
	case len(rest) == 0 && err != nil:
	case bytes.HasPrefix(rest, []byte("\r\n")):
		blank += 2
	case len(rest) > 0 && (rest[0] == '\n' || rest[0] == '\r'):
		blank++
	default:
		return '=', true
	}
	_, _ = q.in.Discard(blank)
	return 0, false
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

func fromHex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// base64 decodes RFC 2045 (6.8). Bytes outside its alphabet are passed over; they
// spoil at most their own line, since the next line starts a new group of four.
type base64 struct {
	in     *bufio.Reader
	bits   uint32
	digits int
	// spoilt says that the line held a byte outside the alphabet.
	spoilt bool
}

// Read decodes; it fails only at the end.
func (b *base64) Read(to []byte) (n int, err error) {
	for n < len(to) {
		c, err := b.in.ReadByte()
		if err != nil {
			return n, err
		}
		digit, ok := base64Digit(c)
		switch {
		case ok:
			b.bits = b.bits<<6 | uint32(digit)
			b.digits++
			// Every digit after a group's first completes a byte.
			if b.digits > 1 {
				spare := 6 - 2*(b.digits-1)
				to[n] = byte(b.bits >> spare)
				n++
			}
			b.digits %= 4
		case c == '=', (c == '\n' || c == '\r') && b.spoilt:
			b.digits, b.spoilt = 0, false
		case c != '\n' && c != '\r' && c != ' ' && c != '\t':
			b.spoilt = true
		}
	}
	return n, nil
}

func base64Digit(c byte) (digit byte, ok bool) {
	switch {
	case 'A' <= c && c <= 'Z':
		return c - 'A', true
	case 'a' <= c && c <= 'z':
		return c - 'a' + 26, true
	case '0' <= c && c <= '9':
		return c - '0' + 52, true
	case c == '+':
		return 62, true
	case c == '/':
		return 63, true
	}
	return 0, false
}
