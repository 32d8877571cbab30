package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/sns"
	"github.com/govwifi/user-signup/internal/telemetry"
)

const (
	smsPath   = "/user-signup/sms-notification/notify"
	emailPath = "/user-signup/email-notification"
	token     = "a-secret-token"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// house is a door with a queue that remembers.
type house struct {
	t    *testing.T
	door *Door
	url  string
	log  *bytes.Buffer

	mu    sync.Mutex
	jobs  []job.Job
	fault error
}

func newHouse(t *testing.T) *house {
	t.Helper()
	t.Parallel()
	h := &house{t: t, log: &bytes.Buffer{}}
	h.door = &Door{
		Queue: h, Confirmer: judge{}, Tokens: Tokens{token, "the-next-token"},
		Webhooks: telemetry.NewMetrics().Webhooks(), Now: func() time.Time { return noon },
		Log: telemetry.LogConfig{Level: slog.LevelDebug}.NewLogger(&lockedWriter{w: h.log}),
	}
	return h
}

// open serves; the door must not be changed afterwards.
func (h *house) open() *house {
	server := httptest.NewUnstartedServer(nil)
	server.Config = h.door.Server()
	server.Start()
	h.t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

func (h *house) Enqueue(_ context.Context, j job.Job) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fault != nil {
		return h.fault
	}
	h.jobs = append(h.jobs, j)
	return nil
}

func (h *house) Ready(context.Context) error { return h.fault }

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// judge is an SNS verifier with a fixed opinion.
type judge struct{ err error }

func (j judge) Verify(context.Context, sns.Envelope) error  { return j.err }
func (j judge) Confirm(context.Context, sns.Envelope) error { return j.err }

func (h *house) post(path, body string, header ...string) (status int, answer string, headers http.Header) {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.url+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return response.StatusCode, string(text), response.Header
}

func (h *house) text(body string) (int, string, http.Header) {
	h.t.Helper()
	return h.post(smsPath, body, "Authorization", "Bearer "+token, "Content-Type", "application/json")
}

func (h *house) mail(kind, body string) (int, string, http.Header) {
	h.t.Helper()
	return h.post(emailPath, body, "x-amz-sns-message-type", kind, "Content-Type", "text/plain; charset=UTF-8")
}

// one is the only job that was queued.
func (h *house) one() job.Job {
	h.t.Helper()
	if len(h.jobs) != 1 {
		h.t.Fatalf("%d jobs were queued: %+v", len(h.jobs), h.jobs)
	}
	return h.jobs[0]
}

// refused checks an answer other than 200: a sentence, nothing queued.
func (h *house) refused(wantStatus, status int, answer string) {
	h.t.Helper()
	var sentence struct{ Error string }
	if status != wantStatus || json.Unmarshal([]byte(answer), &sentence) != nil || sentence.Error == "" {
		h.t.Errorf("answered %d %q, not %d with a sentence", status, answer, wantStatus)
	}
	if len(h.jobs) != 0 {
		h.t.Errorf("queued: %+v", h.jobs)
	}
}

func envelope(receipt string) string {
	text, err := json.Marshal(map[string]any{"Type": "Notification", "Message": receipt})
	if err != nil {
		panic(err)
	}
	return string(text)
}

func receipt(from, recipient string) string {
	return fmt.Sprintf(`{"notificationType":"Received",
		"mail":{"source":"bounce@dept.gov.uk","messageId":"ses1","commonHeaders":{"from":[%q],"to":[%q]}},
		"receipt":{"recipients":[%q],"spamVerdict":{"status":"PASS"},"virusVerdict":{"status":"PASS"},"spfVerdict":{"status":"PASS"},
		"dkimVerdict":{"status":"GRAY"},"dmarcVerdict":{"status":"PASS"},
		"action":{"type":"S3","bucketName":"bucket","objectKey":"object"}}}`, from, recipient, recipient)
}

const goText = `{"id":"b51f638b-0000-4000-8000-000000000001","source_number":"447700912345","destination_number":"07537417417","message":"Go","date_received":"2017-05-14T12:15:30.000000Z"}`

func TestHealth(t *testing.T) {
	h := newHouse(t).open()
	for _, c := range []struct {
		fault  error
		status int
		text   string
	}{{nil, 200, "Healthy"}, {errors.New("connection refused"), 503, "Redis cannot take jobs: connection refused"}} {
		h.fault = c.fault
		response, err := http.Get(h.url + "/healthcheck")
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != c.status || string(text) != c.text {
			t.Errorf("%d %q", response.StatusCode, text)
		}
	}
}

// One line per request holds the path, with the words that CloudWatch reads.
func TestRequestLine(t *testing.T) {
	h := newHouse(t).open()
	h.text(goText)
	h.text(`{}`)
	lines := 0
	for line := range strings.Lines(h.log.String()) {
		if strings.Contains(line, "user-signup/") {
			lines++
			if !strings.Contains(line, "method=POST path="+smsPath+" status=200 duration=") &&
				!strings.Contains(line, "method=POST path="+smsPath+" status=400 duration=") {
				t.Errorf("line: %s", line)
			}
		}
		if strings.Contains(line, "7700912345") {
			t.Errorf("a number in the clear: %s", line)
		}
	}
	if lines != 2 {
		t.Errorf("%d lines with the path:\n%s", lines, h.log)
	}
}

// Whoever visits a path of their own making writes no success into the log.
func TestForgedRequestLine(t *testing.T) {
	for _, format := range []telemetry.Format{telemetry.Text, telemetry.JSON} {
		t.Run(string(format), func(t *testing.T) {
			h := newHouse(t)
			h.door.Log = telemetry.LogConfig{Format: format}.NewLogger(&lockedWriter{w: h.log})
			h.open()
			for _, rest := range []string{"%20status=200", "/status=200", "%0astatus=200"} {
				if status, _, _ := h.post(smsPath+rest, goText, "Authorization", "Bearer "+token); status != 404 {
					t.Errorf("%s is answered %d", rest, status)
				}
			}
			if log := h.log.String(); strings.Contains(log, "status=200") || strings.Count(log, "status=404 duration=") != 3 {
				t.Errorf("logged:\n%s", log)
			}
		})
	}
}

func TestUnknownRoute(t *testing.T) {
	h := newHouse(t).open()
	status, answer, _ := h.post("/user-signup/nothing", "")
	h.refused(404, status, answer)
	status, answer, _ = h.post("/healthcheck", "")
	h.refused(405, status, answer)
}

// Beyond the places, senders are asked to come back; the health check still answers.
func TestTooManyAtOnce(t *testing.T) {
	h := newHouse(t)
	release, begun := make(chan bool), make(chan bool, maxInFlight)
	h.door.Queue = waiting{h, begun, release}
	h.open()
	var wait sync.WaitGroup
	for range maxInFlight {
		wait.Go(func() { h.text(strings.Replace(goText, `"id":"b51f638b-0000-4000-8000-000000000001",`, "", 1)) })
	}
	for range maxInFlight {
		<-begun
	}
	status, answer, header := h.text(goText)
	h.refused(503, status, answer)
	if header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if response, err := http.Get(h.url + "/healthcheck"); err != nil || response.StatusCode != 200 {
		t.Errorf("health: %v, %v", response, err)
	}
	close(release)
	wait.Wait()
}

// waiting is a queue that takes its time.
type waiting struct {
	*house
	begun, release chan bool
}

func (w waiting) Enqueue(ctx context.Context, j job.Job) error {
	w.begun <- true
	<-w.release
	return w.house.Enqueue(ctx, j)
}

// A panic is a 503: the sender tries again, and the door stays open.
func TestPanic(t *testing.T) {
	h := newHouse(t)
	h.door.Now = func() time.Time { panic("boom") }
	h.open()
	status, answer, _ := h.text(goText)
	h.refused(503, status, answer)
}
