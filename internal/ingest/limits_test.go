package ingest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/sns"
)

// docs/contract.md, section 6.
func TestPatience(t *testing.T) {
	t.Parallel()
	server := (&Door{Log: slog.New(slog.DiscardHandler)}).Server()
	if server.ReadHeaderTimeout != 10*time.Second || bodyTime != 30*time.Second || maxBody != 512<<10 {
		t.Errorf("headers %s, body %s of %d bytes", server.ReadHeaderTimeout, bodyTime, maxBody)
	}
}

// All who are asked for one request share the time in which it must be answered: each
// with its own, a slow certificate and a silent Redis would add up to over 2 s.
func TestOneDeadlineForAll(t *testing.T) {
	h := newHouse(t)
	asked := &deadlines{house: h}
	h.door.Verifier, h.door.Queue = asked, asked
	h.open()
	before := time.Now()
	if status, answer, _ := h.mail("Notification", envelope(receipt("jo@dept.gov.uk", "signup@wifi.service.gov.uk"))); status != 200 {
		t.Fatal(status, answer)
	}
	if len(asked.ends) != 2 || !asked.ends[0].Equal(asked.ends[1]) {
		t.Fatalf("verifier and queue have until %v", asked.ends)
	}
	if patience := asked.ends[0].Sub(before); patience <= 0 || patience > 1900*time.Millisecond {
		t.Errorf("they have %s", patience)
	}
}

// deadlines are until when verifier and queue may take their time, zero for ever.
type deadlines struct {
	*house
	ends []time.Time
}

func (d *deadlines) note(ctx context.Context) {
	end, _ := ctx.Deadline()
	d.ends = append(d.ends, end)
}

func (d *deadlines) Verify(ctx context.Context, _ sns.Envelope) error { d.note(ctx); return nil }

func (d *deadlines) Enqueue(ctx context.Context, j job.Job) error {
	d.note(ctx)
	return d.house.Enqueue(ctx, j)
}

// A client that trickles (slow loris) is cut off, wherever it trickles, and holds no
// place afterwards.
func TestSlowClients(t *testing.T) {
	const wait = 300 * time.Millisecond
	post := "POST " + smsPath + " HTTP/1.1\r\nHost: x\r\n"
	authorised := post + "Authorization: Bearer " + token + "\r\n"
	for name, c := range map[string]struct{ sent, answer string }{
		"in the request line":        {"POST /user", ""},
		"in the headers":             {post + "X-A: b\r\nX-", ""},
		"in the body":                {authorised + "Content-Length: 100\r\n\r\n{", "503"},
		"in a chunk":                 {authorised + "Transfer-Encoding: chunked\r\n\r\n64\r\n{", "503"},
		"in a body that nobody read": {post + "Content-Length: 100000\r\n\r\n{", "401"},
		"in a body of no route":      {"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{", "404"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.door.bodyTime = wait
			server := httptest.NewUnstartedServer(nil)
			server.Config = h.door.Server()
			server.Config.ReadHeaderTimeout = wait
			server.Start()
			t.Cleanup(server.Close)
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if _, err := io.WriteString(conn, c.sent); err != nil {
				t.Fatal(err)
			}
			// A byte now and then must not win time.
			go func() {
				for range 100 {
					time.Sleep(wait / 10)
					if _, err := io.WriteString(conn, " "); err != nil {
						return
					}
				}
			}()
			if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			started := time.Now()
			answer, err := io.ReadAll(conn) // until the server hangs up
			if e, ok := err.(net.Error); ok && e.Timeout() {
				t.Fatalf("still connected after %s, answered %q", time.Since(started), answer)
			}
			if c.answer != "" && !strings.HasPrefix(string(answer), "HTTP/1.1 "+c.answer) {
				t.Errorf("answered %q", answer)
			}
			if c.answer == "503" && !strings.Contains(string(answer), "Retry-After") {
				t.Errorf("no Retry-After in %q", answer)
			}
			if len(h.jobs) != 0 {
				t.Errorf("queued %v", h.jobs)
			}
		})
	}
}

// A sender whose connection breaks in the middle of a body is not told a 4xx, after
// which GOV.UK Notify would drop the text.
func TestBodyCutOff(t *testing.T) {
	h := newHouse(t).open()
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 500\r\n\r\n%s", smsPath, token, goText); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != 503 || len(h.jobs) != 0 {
		t.Errorf("answered %d, queued %v", response.StatusCode, h.jobs)
	}
}
