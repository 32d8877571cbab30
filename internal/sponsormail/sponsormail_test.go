package sponsormail

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/testenv"
)

// Every fixture is a mail from this sponsor to this recipient.
const sponsor = govwifi.Contact("sally@cabinetoffice.gov.uk")

var recipients = []string{"sponsor@wifi.service.gov.uk"}

// TestFixtures reads every testdata/*.eml, whole and byte by byte, and compares
// the guests with those in the .golden file beside it, one a line.
func TestFixtures(t *testing.T) {
	t.Parallel()
	mails, err := filepath.Glob("testdata/*.eml")
	if err != nil || len(mails) < 25 {
		t.Fatalf("%d fixtures, %v", len(mails), err)
	}
	for _, name := range mails {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".eml"), func(t *testing.T) {
			t.Parallel()
			mail, golden := readFile(t, name), readFile(t, strings.TrimSuffix(name, ".eml")+".golden")
			want := strings.Fields(string(golden))
			for _, r := range []io.Reader{bytes.NewReader(mail), iotest.OneByteReader(bytes.NewReader(mail))} {
				guests, _, err := Extract(r, sponsor, recipients)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, plain(guests)); diff != "" {
					t.Errorf("guests (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// plain shows contacts as they are, not masked.
func plain(guests []govwifi.Contact) []string {
	texts := make([]string, len(guests))
	for i, guest := range guests {
		texts[i] = string(guest)
	}
	return texts
}

// TestOwnAddresses leaves out the service's addresses in the domain to which the
// mail was sent, as told by the caller or, for want of that, by the mail.
func TestOwnAddresses(t *testing.T) {
	t.Parallel()
	const body = "\r\njo@x.gov.uk sponsor@wifi.service.gov.uk enrol@wifi.service.gov.uk\r\n"
	tests := map[string]struct {
		mail       string
		recipients []string
	}{
		"To and Cc":        {mail: "To: \"Wifi, Gov\"\r\n <Sponsor@Wifi.Service.gov.uk>\r\nCc: jo@x.gov.uk\r\n" + body},
		"blind recipients": {mail: "To: jo@x.gov.uk\r\n" + body, recipients: recipients},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			guests, _, err := Extract(strings.NewReader(test.mail), sponsor, test.recipients)
			if diff := cmp.Diff([]string{"jo@x.gov.uk"}, plain(guests)); diff != "" || err != nil {
				t.Errorf("%v, guests (-want +got):\n%s", err, diff)
			}
		})
	}
}

// TestFroms counts the From headers of the mail itself, wherever and however they are written:
// not those of a mail that it forwards, nor of lines in its text.
func TestFroms(t *testing.T) {
	t.Parallel()
	padding := strings.Repeat("X-Padding: "+strings.Repeat("x", 900)+"\r\n", 30)
	for mail, want := range map[string]int{
		"Subject: guests\r\n\r\n":                                                                                        0,
		"From: jo@dept.gov.uk\r\n\r\nFrom: sam@x.gov.uk\r\n":                                                             1,
		"From: jo@dept.gov.uk\r\n evil@example.com\r\n\r\n":                                                              1,
		"From: jo@dept.gov.uk\r\nX-From: evil@example.com\r\n\r\n":                                                       1,
		"From: jo@dept.gov.uk\r\nContent-Type: message/rfc822\r\n\r\nFrom: sam@x.gov.uk\r\n\r\n":                         1,
		"From: jo@dept.gov.uk\r\n" + padding + "from : evil@example.com\r\n\r\n":                                         2,
		"FROM: jo@dept.gov.uk\nFrom: jo@dept.gov.uk\nContent-Type: multipart/mixed; boundary=a\n\n--a\nFrom: x\n\n--a--": 2,
		"From: " + strings.Repeat("x", 2*windowBytes) + "\r\nno header\r\nFrom:\r\n\r\n":                                 2,
	} {
		if _, got, err := Extract(strings.NewReader(mail), sponsor, recipients); got != want || err != nil {
			t.Errorf("%d From headers, %v, want %d in %.80q", got, err, want, mail)
		}
	}
}

// TestFileNamesOfAnyCharset leaves an attachment's text unread that is shown inline, however
// its name is written (RFC 2231).
func TestFileNamesOfAnyCharset(t *testing.T) {
	t.Parallel()
	for _, part := range []string{
		"Content-Disposition: inline; filename*=iso-8859-1''caf%E9.txt",
		"Content-Disposition: inline; filename*0*=iso-8859-1''caf%E9; filename*1=.txt",
		"Content-Disposition: inline\r\nContent-Type: text/plain; name*=windows-1252''caf%E9.txt",
	} {
		mail := "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\njo@x.gov.uk\r\n" +
			"--b\r\n" + part + "\r\n\r\nsam@x.gov.uk\r\n--b--\r\n"
		guests, _, err := Extract(strings.NewReader(mail), sponsor, recipients)
		if diff := cmp.Diff([]string{"jo@x.gov.uk"}, plain(guests)); diff != "" || err != nil {
			t.Errorf("%s: %v, guests (-want +got):\n%s", part, err, diff)
		}
	}
}

// TestQuotedLongLine drops the whole of a quoted line that is longer than a window.
func TestQuotedLongLine(t *testing.T) {
	t.Parallel()
	mail := "Subject: Re\r\n\r\n> " + strings.Repeat("word ", windowBytes/4) + "sam@x.gov.uk\r\njo@x.gov.uk\r\n"
	guests, _, err := Extract(strings.NewReader(mail), sponsor, recipients)
	if diff := cmp.Diff([]string{"jo@x.gov.uk"}, plain(guests)); diff != "" || err != nil {
		t.Errorf("%v, guests (-want +got):\n%s", err, diff)
	}
}

// TestFailingSource says that a mail could not be read to its end, instead of
// inviting some of the guests; a cut connection is no end.
func TestFailingSource(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{errors.New("connection reset"), io.ErrUnexpectedEOF} {
		r := io.MultiReader(strings.NewReader("From: a@x.uk\r\n\r\njo@x.gov.uk\r\nsa"), iotest.ErrReader(cause))
		if guests, _, err := Extract(r, sponsor, recipients); !errors.Is(err, cause) || guests != nil {
			t.Errorf("got %v, %v, want %v", guests, err, cause)
		}
	}
}

// TestMaxGuests takes 5,000 guests and, of 5,001, none.
func TestMaxGuests(t *testing.T) {
	t.Parallel()
	var mail strings.Builder
	mail.WriteString("Subject: guests\r\n\r\n")
	for i := range govwifi.MaxGuests {
		fmt.Fprintf(&mail, "guest%d@x.gov.uk,", i)
	}
	guests, _, err := Extract(strings.NewReader(mail.String()+"GUEST1@x.gov.uk"), sponsor, recipients)
	if err != nil || len(guests) != govwifi.MaxGuests || guests[govwifi.MaxGuests-1] != "guest4999@x.gov.uk" {
		t.Errorf("%d guests, %v", len(guests), err)
	}
	guests, _, err = Extract(strings.NewReader(mail.String()+"\r\n\r\none.more@x.gov.uk"), sponsor, recipients)
	if !errors.Is(err, govwifi.ErrTooManyGuests) || guests != nil {
		t.Errorf("%d guests, %v, want govwifi.ErrTooManyGuests", len(guests), err)
	}
}

// TestRestIsIgnored reads MaxBytes and no more.
func TestRestIsIgnored(t *testing.T) {
	t.Parallel()
	head := "Subject: long\r\n\r\njo@x.gov.uk\r\n"
	r := io.MultiReader(strings.NewReader(head), io.LimitReader(endless("words \n"), int64(MaxBytes-len(head))), iotest.ErrReader(errors.New("read too far")))
	guests, _, err := Extract(r, sponsor, recipients)
	if err != nil || len(guests) != 1 {
		t.Errorf("%d guests, %v", len(guests), err)
	}
}

// endless repeats a text for ever.
func endless(text string) io.Reader { return &repeater{text: []byte(text)} }

type repeater struct {
	text []byte
	at   int
}

func (r *repeater) Read(to []byte) (n int, err error) {
	for n < len(to) {
		copied := copy(to[n:], r.text[r.at:])
		n += copied
		r.at = (r.at + copied) % len(r.text)
	}
	return n, nil
}

// TestLargeMail reads much of everything that could be held, repeated or nested,
// and bounds the heap and the time that it takes: 40 MB where whole is set, else
// 4 MB, which shows as well what grows faster than the mail. It is not parallel:
// it measures.
func TestLargeMail(t *testing.T) {
	const (
		maxHeap = 16 << 20
		maxTime = 15 * time.Second * testenv.RaceFactor
		mixed   = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
		html    = "Content-Type: text/html\r\n\r\n"
		text    = "Subject: long\r\n\r\n"
	)
	tests := map[string]struct {
		head  string
		body  io.Reader
		err   error
		whole bool
	}{
		"attachment": {head: mixed + html + "jo@x.gov.uk\r\n--b\r\nContent-Type: application/pdf\r\n" +
			"Content-Transfer-Encoding: base64\r\n\r\n", body: endless(strings.Repeat("QUJD", 19) + "\r\n"), whole: true},
		"text":             {head: text + "jo@x.gov.uk\r\n", body: endless("Here are some words and nobody's address.\r\n"), whole: true},
		"quoted":           {head: "Content-Transfer-Encoding: quoted-printable\r\n\r\njo@x.gov.uk=0A", body: endless("=E2=80=99=\r\n")},
		"base64":           {head: "Content-Transfer-Encoding: base64\r\n\r\nam9AeC5nb3YudWsK\r\n", body: endless("QUJD")},
		"one line":         {head: text + "jo@x.gov.uk\r\n", body: endless("word ")},
		"one word":         {head: text + "jo@x.gov.uk\r\n", body: endless("w")},
		"at signs":         {head: text + "jo@x.gov.uk ", body: endless("a@b.")},
		"carriage returns": {head: text + "jo@x.gov.uk ", body: endless("\r")},
		"flowed":           {head: "Content-Type: text/plain; format=flowed\r\n\r\njo@x.gov.uk\r\n", body: endless("some words \n")},
		"one address":      {head: text + "jo@x.gov.uk ", body: endless("sam@y.gov.uk ,")},
		"addresses":        {head: text, body: &counter{}, err: govwifi.ErrTooManyGuests, whole: true},
		"long lines":       {head: text, body: &counter{padding: strings.Repeat("word ", 10000)}, whole: true},
		"numbers":          {head: text, body: endless("123456\r\n"), err: govwifi.ErrTooManyGuests},
		"data URI":         {head: html + "jo@x.gov.uk<img src=\"data:image/png;base64,", body: endless("QUJD"), whole: true},
		"HTML without >":   {head: html + "jo@x.gov.uk", body: endless("<a ")},
		"HTML tags":        {head: html + "jo@x.gov.uk", body: endless("<blockquote type=cite><pre><head>")},
		"HTML entities":    {head: html + "jo@x.gov.uk ", body: endless("&nbsp;&amp")},
		"style":            {head: html + "jo@x.gov.uk<style>", body: endless("</styl<")},
		"header":           {head: "Content-Type: text/plain; x=", body: endless("y; x=")},
		"headers":          {head: "", body: endless("To: sam@y.gov.uk\r\n")},
		"nested":           {head: "", body: &nester{}, whole: true},
		"nested alike":     {head: "", body: endless(mixed), whole: true},
		"forwarded":        {head: "", body: endless("Content-Type: message/rfc822\r\n\r\n"), whole: true},
		"empty parts":      {head: mixed, body: endless("\r\n\r\n--b\r\n"), whole: true},
		"boundaries":       {head: mixed + text + "jo@x.gov.uk\r\n", body: endless("--b--b--\r\n")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			mail := &meter{r: io.MultiReader(strings.NewReader(test.head), test.body)}
			if !test.whole {
				mail.r = io.LimitReader(mail.r, 4<<20)
			}
			runtime.GC()
			before := heap()
			start := cpuTime()
			guests, _, err := Extract(mail, sponsor, recipients)
			took, used := cpuTime()-start, int64(max(mail.peak, heap()))-int64(before)
			t.Logf("%d MB read in %v with %d KB of heap", mail.read>>20, took.Round(time.Millisecond), used>>10)
			if !errors.Is(err, test.err) || len(guests) > govwifi.MaxGuests {
				t.Errorf("%d guests, %v, want %v", len(guests), err, test.err)
			}
			if strings.Contains(test.head, "jo@x.gov.uk") && len(guests) == 0 {
				t.Error("the guest before it is lost")
			}
			if used > maxHeap || took > maxTime {
				t.Errorf("took %v and %d MB, want at most %v and %d MB", took, used>>20, maxTime, maxHeap>>20)
			}
		})
	}
}

// meter samples the heap at every megabyte read through it.
type meter struct {
	r          io.Reader
	read, next int
	peak       uint64
}

func (m *meter) Read(to []byte) (int, error) {
	n, err := m.r.Read(to)
	m.read += n
	if m.read >= m.next {
		m.next = m.read + 1<<20
		m.peak = max(m.peak, heap())
	}
	return n, err
}

// cpuTime is what this process has used: other than the time of day, it does not
// depend on what else the machine does.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func heap() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// counter is an endless list of addresses, each another and in a line with padding.
type counter struct {
	padding string
	rest    []byte
	count   int
}

func (c *counter) Read(to []byte) (int, error) {
	if len(c.rest) == 0 {
		c.count++
		c.rest = fmt.Appendf(nil, "guest%d@x.gov.uk %s\r\n", c.count, c.padding)
	}
	n := copy(to, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// nester is an endless nest of multiparts, each with a boundary of its own.
type nester struct {
	rest  []byte
	count int
}

func (c *nester) Read(to []byte) (int, error) {
	if len(c.rest) == 0 {
		c.count++
		c.rest = fmt.Appendf(nil, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", c.count, c.count)
	}
	n := copy(to, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// rule is docs/rules.md's pattern of an address.
var rule = regexp.MustCompile(`[A-Za-z0-9_+.'\-&]+@[a-zA-Z0-9.-]+\.[a-zA-Z]+`)

var e164 = regexp.MustCompile(`^\+[0-9]+$`)

// FuzzExtract reads anything without a panic, in time that grows with its length
// only, and never takes the sponsor, a repeat or too many for guests.
func FuzzExtract(f *testing.F) {
	mails, _ := filepath.Glob("testdata/*.eml")
	for _, name := range mails {
		f.Add(readFile(f, name))
	}
	f.Fuzz(func(t *testing.T, mail []byte) {
		began := cpuTime()
		guests, _, err := Extract(bytes.NewReader(mail), sponsor, recipients)
		if took := cpuTime() - began; took > 5*time.Second {
			t.Errorf("%d bytes took %v", len(mail), took)
		}
		if err != nil && (!errors.Is(err, govwifi.ErrTooManyGuests) || guests != nil) {
			t.Error(err)
		}
		if len(guests) > govwifi.MaxGuests {
			t.Errorf("%d guests", len(guests))
		}
		line := string(mail)
		start, end, ok := nextAddress(line, 0)
		for _, want := range append(rule.FindAllStringIndex(line, -1), nil) {
			if ok != (want != nil) || ok && (start != want[0] || end != want[1]) {
				t.Fatalf("address at %d to %d (%t), the rule says %v", start, end, ok, want)
			}
			start, end, ok = nextAddress(line, end)
		}
		seen := map[string]bool{strings.ToLower(string(sponsor)): true, recipients[0]: true}
		for _, guest := range guests {
			key := strings.ToLower(string(guest))
			if seen[key] || len(guest) > maxAddress {
				t.Errorf("guest %q", string(guest))
			}
			if !e164.MatchString(key) && !rule.MatchString(key) {
				t.Errorf("neither number nor address: %q", key)
			}
			seen[key] = true
		}
	})
}
