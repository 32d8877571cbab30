package sponsormail

import (
	"bufio"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// decodeCharset turns a text into UTF-8. A byte order mark outweighs the charset
// that is named. ASCII, UTF-8 and a charset that is unknown or missing are read
// as UTF-8, and what is not valid in that as Windows-1252: mail clients name the
// first for any of them.
func decodeCharset(text io.Reader, name string) io.Reader {
	name = strings.ToLower(strings.TrimSpace(name))
	var decoder transform.Transformer = lenientUTF8{}
	named, err := htmlindex.Get(name)
	switch {
	case err != nil, name == "us-ascii", name == "ascii", named == encoding.Replacement, named == unicode.UTF8:
	case strings.HasPrefix(name, "utf-16"):
		buffered := bufio.NewReader(text)
		text = buffered
		decoder = unicode.UTF16(byteOrder(buffered, name), unicode.IgnoreBOM).NewDecoder()
	default:
		decoder = named.NewDecoder()
	}
	return transform.NewReader(text, unicode.BOMOverride(decoder))
}

// byteOrder tells how UTF-16 without a mark is written: every other byte of
// Western text is zero. Where that says nothing, the name does, and the mere
// "utf-16" means big-endian (RFC 2781, 4.3).
func byteOrder(text *bufio.Reader, name string) unicode.Endianness {
	var zeros [2]int
	ahead, _ := text.Peek(64)
	for i, c := range ahead {
		if c == 0 {
			zeros[i%2]++
		}
	}
	if zeros[1] > zeros[0] || zeros[1] == zeros[0] && name == "utf-16le" {
		return unicode.LittleEndian
	}
	return unicode.BigEndian
}

// lenientUTF8 passes UTF-8 on and takes bytes that are none for Windows-1252.
type lenientUTF8 struct{ transform.NopResetter }

// Transform implements transform.Transformer.
func (lenientUTF8) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		r, size := utf8.DecodeRune(src[nSrc:])
		if r == utf8.RuneError && size == 1 {
			if !atEOF && !utf8.FullRune(src[nSrc:]) {
				return nDst, nSrc, transform.ErrShortSrc
			}
			r = charmap.Windows1252.DecodeByte(src[nSrc])
		}
		if nDst+utf8.RuneLen(r) > len(dst) {
			return nDst, nSrc, transform.ErrShortDst
		}
		nDst += utf8.EncodeRune(dst[nDst:], r)
		nSrc += size
	}
	return nDst, nSrc, nil
}
