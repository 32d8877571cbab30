package journeys

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
)

// connections is how many senders post at once.
const connections = 32

// load posts texts for a while over many connections and returns how long each
// answer took. Every answer must be 200. It writes requests by hand: net/http's
// client would take more of the cores than the servers that are measured.
func (w *town) load(addr string, d time.Duration) []time.Duration {
	w.Helper()
	var mu sync.Mutex
	var all []time.Duration
	var wait sync.WaitGroup
	deadline := time.Now().Add(d)
	for i := range connections {
		wait.Go(func() {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				w.Error(err)
				return
			}
			defer func() { _ = conn.Close() }()
			answers := bufio.NewReader(conn)
			var took []time.Duration
			for n := 0; time.Now().Before(deadline); n++ {
				started := time.Now()
				if err := post(conn, answers, w.world.Token, phone(i*100000+n)); err != nil {
					w.Error(err)
					return
				}
				took = append(took, time.Since(started))
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
	return all
}

// post sends one text as GOV.UK Notify does and reads the answer.
func post(conn io.Writer, answers *bufio.Reader, token, from string) error {
	body, err := json.Marshal(map[string]string{"id": uuid.NewString(), "source_number": from, "destination_number": "07537417417",
		"message": "Go", "date_received": "2026-11-22T12:00:00.000000Z"})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(conn, "POST /user-signup/sms-notification/notify HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", token, len(body), body); err != nil {
		return err
	}
	response, err := http.ReadResponse(answers, nil)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %d", response.StatusCode)
	}
	return response.Body.Close()
}
