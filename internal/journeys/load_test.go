package journeys

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/govwifi/user-signup/internal/outside"
)

// connections is how many senders post at once.
const connections = 32

// load is many senders who post for a while. Requests are written by hand and answers
// hardly read: net/http's client would take more of the cores than the servers that are
// measured.
type load struct {
	addr     string
	duration time.Duration
	// pace is the time between two requests of all senders together; 0 is as fast as
	// answers come. Then an answer's time counts from when its request was due, so a
	// server that stalls is not spared the requests that it kept from being sent.
	pace time.Duration
	// request is the n-th of a sender, whole.
	request func(sender, n int) []byte
}

// run returns how long each answer took, sorted. Every answer must be 200.
func (w *town) run(l load) []time.Duration {
	w.Helper()
	var mu sync.Mutex
	var all []time.Duration
	var wait sync.WaitGroup
	start := time.Now()
	for i := range connections {
		wait.Go(func() {
			took, err := l.send(i, start)
			if err != nil {
				w.Errorf("post to %s: %v", l.addr, err)
			}
			mu.Lock()
			all = append(all, took...)
			mu.Unlock()
		})
	}
	wait.Wait()
	if w.Failed() || len(all) == 0 {
		w.FailNow()
	}
	slices.Sort(all)
	return all
}

// send is one sender.
func (l load) send(i int, start time.Time) (took []time.Duration, err error) {
	conn, err := net.Dial("tcp", l.addr)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	answers := bufio.NewReader(conn)
	for n := 0; ; n++ {
		due := time.Now()
		if l.pace > 0 {
			due = start.Add(l.pace * time.Duration(n*connections+i))
			time.Sleep(time.Until(due))
		}
		if due.Sub(start) > l.duration {
			return took, nil
		}
		if _, err := conn.Write(l.request(i, n)); err != nil {
			return took, err
		}
		if err := accepted(answers); err != nil {
			return took, err
		}
		took = append(took, time.Since(due))
	}
}

// accepted reads one answer, which must be 200.
func accepted(answers *bufio.Reader) error {
	length := 0
	for first := true; ; first = false {
		line, err := answers.ReadString('\n')
		if err != nil {
			return err
		}
		line = strings.TrimRight(line, "\r\n")
		if first && !strings.HasPrefix(line, "HTTP/1.1 200 ") {
			return errors.New("answered " + line)
		}
		if line == "" {
			break
		}
		if name, value, _ := strings.Cut(line, ": "); name == "Content-Length" {
			if length, err = strconv.Atoi(value); err != nil {
				return err
			}
		}
	}
	_, err := answers.Discard(length)
	return err
}

// texts are requests as GOV.UK Notify sends them, each another text of another person.
func (w *town) texts(sender, n int) []byte {
	body := fmt.Sprintf(`{"id":"%s","source_number":"%s","destination_number":"%s","message":"Go","date_received":"2026-11-22T12:00:00.000000Z"}`,
		uuid.NewString(), phone(sender*100000+n), outside.Number)
	return fmt.Appendf(nil, "POST /user-signup/sms-notification/notify HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", w.world.Token, len(body), body)
}

// mails are so many requests as SNS sends them, signed beforehand: to sign is dearer
// than to verify. They come again when all are sent, and are known to Redis then.
func (w *town) mails(n int) func(sender, n int) []byte {
	w.Helper()
	requests := make([][]byte, n)
	var wait sync.WaitGroup
	for first := range connections {
		wait.Go(func() {
			for i := first; i < n; i += connections {
				e, err := w.world.Mail(outside.PlainMail(fmt.Sprintf("Jo <jo%d@dept.gov.uk>", i), signup, "Wifi", "please"), signup, nil)
				if err != nil {
					w.Error(err)
					return
				}
				request, err := w.world.Request(w.Context(), e)
				if err != nil {
					w.Error(err)
					return
				}
				var text bytes.Buffer
				if err := request.Write(&text); err != nil {
					w.Error(err)
				}
				requests[i] = text.Bytes()
			}
		})
	}
	wait.Wait()
	return func(sender, i int) []byte { return requests[(i*connections+sender)%n] }
}
