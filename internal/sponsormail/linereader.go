package sponsormail

import (
	"bytes"
	"io"
)

// windowBytes is how much of a text is held at a time. A longer line is handed
// out in pieces, cut where no address is if possible.
const windowBytes = 64 << 10

// lineReader cuts a mail or a text into lines without ever holding more than a
// window of it. A line ends with LF, CR LF, CR CR LF (made by gateways that convert
// twice) or a lone CR. A bufio.Scanner would end at the first line that is too
// long, and look at what it holds once more after every Read.
type lineReader struct {
	src        io.Reader
	window     []byte
	start, end int
	// err is why no more can be read: io.EOF, or what went wrong in reading.
	err error
	// atStart says that what begins at start is the beginning of a line.
	atStart bool
	// back is where the line handed out last began, for unread.
	back        int
	backAtStart bool
}

func newLineReader(src io.Reader) *lineReader {
	l := &lineReader{window: make([]byte, windowBytes)}
	l.reset(src)
	return l
}

// reset begins another text.
func (l *lineReader) reset(src io.Reader) {
	*l = lineReader{src: src, window: l.window, atStart: true}
}

// next returns the next line with its line end, valid until the call after, and
// whether it is the beginning of a line rather than a further piece of a long
// one. At the end, or when the source fails, ok is false; failure tells which.
func (l *lineReader) next() (line []byte, first, ok bool) {
	length := lineLength(l.window[l.start:l.end], l.err != nil)
	if length == 0 && l.err == nil {
		l.fill()
		length = lineLength(l.window[l.start:l.end], l.err != nil)
	}
	if length == 0 {
		length = l.end - l.start
		if cut := bytes.LastIndexAny(l.window[l.start:l.end], " \t,;<>"); cut > 0 && l.err == nil {
			length = cut
		}
	}
	if length == 0 {
		return nil, false, false
	}
	line = l.window[l.start : l.start+length]
	l.back, l.backAtStart = l.start, l.atStart
	l.start += length
	first = l.atStart
	last := line[length-1]
	l.atStart = last == '\n' || last == '\r'
	return line, first, true
}

// unread makes next return the same line once more.
func (l *lineReader) unread() { l.start, l.atStart = l.back, l.backAtStart }

// failure is the source's error; the end of the mail is none.
func (l *lineReader) failure() error {
	if l.err == io.EOF {
		return nil
	}
	return l.err
}

// fill moves what is left to the front and fills the window to the brim, so that
// no byte is looked at more than twice, however little each Read returns.
// io.ReadFull will not do: it cannot tell a short mail from a cut connection,
// which is an io.ErrUnexpectedEOF of the source's own.
func (l *lineReader) fill() {
	l.end = copy(l.window, l.window[l.start:l.end])
	l.start = 0
	for idle := 0; l.end < len(l.window) && l.err == nil; idle++ {
		n, err := l.src.Read(l.window[l.end:])
		l.end += n
		l.err = err
		if n > 0 {
			idle = 0
		} else if idle == 100 {
			l.err = io.ErrNoProgress
		}
	}
}

// lineLength is the length of the first line of data, its end included, or 0 if
// data does not show where it ends.
func lineLength(data []byte, atEnd bool) int {
	i := 0
	for i < len(data) && data[i] != '\n' && data[i] != '\r' {
		i++
	}
	switch rest := data[i:]; {
	case len(rest) == 0:
		return 0
	case rest[0] == '\n':
		return i + 1
	case bytes.HasPrefix(rest, []byte("\r\n")):
		return i + 2
	case bytes.HasPrefix(rest, []byte("\r\r\n")):
		return i + 3
	case len(rest) < 3 && !atEnd:
		return 0
	}
	return i + 1
}
