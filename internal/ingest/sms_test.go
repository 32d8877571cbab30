package ingest

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/job"
)

func TestTextBecomesItsJob(t *testing.T) {
	want := job.Text{MessageID: "b51f638b-0000-4000-8000-000000000001", Number: "+447700912345",
		Destination: "07537417417", Text: "Go", ReceivedAt: noon}
	help := want
	help.Text = "iphone 12"
	for text, want := range map[string]job.Job{
		goText: job.SignupSMS{Text: want},
		strings.Replace(goText, "Go", "iphone 12", 1): job.HelpSMS{Text: help, Topic: govwifi.TopicIPhone},
	} {
		t.Run(want.Spec().Name, func(t *testing.T) {
			h := newHouse(t).open()
			status, answer, _ := h.text(text)
			if status != 200 || answer != "" {
				t.Fatalf("%d %q", status, answer)
			}
			if diff := cmp.Diff(want, h.one()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTextIsRefused(t *testing.T) {
	for name, body := range map[string]string{
		"no JSON":            "Go",
		"empty":              "",
		"an array":           "[]",
		"a string":           `"Go"`,
		"null":               "null",
		"two documents":      goText + goText,
		"no source":          `{"destination_number":"07537417417","message":"Go"}`,
		"source null":        `{"source_number":null,"destination_number":"07537417417","message":"Go"}`,
		"source a number":    `{"source_number":447700912345,"destination_number":"07537417417","message":"Go"}`,
		"no destination":     `{"source_number":"447700912345","message":"Go"}`,
		"destination a list": `{"source_number":"447700912345","destination_number":[],"message":"Go"}`,
		"no message":         `{"source_number":"447700912345","destination_number":"07537417417"}`,
		"message an object":  `{"source_number":"447700912345","destination_number":"07537417417","message":{}}`,
		"nested too deeply":  `{"source_number":"447700912345","destination_number":"07537417417","message":"Go","x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`,
		"keys in capitals":   `{"SOURCE_NUMBER":"447700912345","DESTINATION_NUMBER":"07537417417","MESSAGE":"Go"}`,
		"message null":       `{"source_number":"447700912345","destination_number":"07537417417","message":null}`,
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t).open()
			status, answer, _ := h.text(body)
			h.refused(400, status, answer)
			if strings.Contains(answer, "447700912345") {
				t.Error("the answer repeats a number")
			}
		})
	}
}

// A key that differs in case is another key: it neither stands in for ours nor replaces it.
func TestTextIgnoresOtherKeys(t *testing.T) {
	h := newHouse(t).open()
	if status, answer, _ := h.text(strings.Replace(goText, "{", `{"MESSAGE":"a","x":1e999,`, 1)); status != 200 {
		t.Fatal(status, answer)
	}
	if status, answer, _ := h.text(strings.Replace(goText, "}", `,"Message":null,"Source_Number":5}`, 1)); status != 200 {
		t.Fatal(status, answer)
	}
	for _, j := range h.jobs {
		if text, ok := j.(job.SignupSMS); !ok || text.Text.Text != "Go" {
			t.Errorf("queued %+v", j)
		}
	}
}

func TestTextThatNeedsNothing(t *testing.T) {
	for name, body := range map[string]string{
		"our own number":  `{"id":"1","source_number":"447537417417","destination_number":"07537 417417","message":"Go"}`,
		"letters":         `{"id":"1","source_number":"DVLA","destination_number":"07537417417","message":"Go"}`,
		"a short code":    `{"id":"1","source_number":"60006","destination_number":"07537417417","message":"Go"}`,
		"an empty sender": `{"id":"1","source_number":"","destination_number":"","message":""}`,
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t).open()
			if status, answer, _ := h.text(body); status != 200 || answer != "" || len(h.jobs) != 0 {
				t.Errorf("%d %q, jobs %v", status, answer, h.jobs)
			}
		})
	}
}

func TestEmptyTextAsksForCredentials(t *testing.T) {
	h := newHouse(t).open()
	if status, _, _ := h.text(`{"source_number":"447700912345","destination_number":"","message":""}`); status != 200 {
		t.Fatal(status)
	}
	if name := h.one().Spec().Name; name != "signup-sms" {
		t.Error(name)
	}
}

func TestToken(t *testing.T) {
	for header, want := range map[string]int{
		"":                      401,
		"Bearer":                401,
		"Bearer ":               401,
		"Bearer wrong":          401,
		"Bearer " + token + "x": 401,
		"Basic " + token:        401,
		token:                   401,
		"Bearer " + token:       200,
		"bearer " + token:       200,
		"Bearer the-next-token": 200,
	} {
		t.Run(header, func(t *testing.T) {
			h := newHouse(t).open()
			status, answer, _ := h.post(smsPath, goText, "Authorization", header)
			if want == 200 {
				h.one()
				return
			}
			h.refused(401, status, answer)
		})
	}
}

func TestTextIsTooLarge(t *testing.T) {
	h := newHouse(t).open()
	status, answer, _ := h.text(`{"message":"` + strings.Repeat("x", maxBody) + `"}`)
	h.refused(413, status, answer)
}

func TestTextIsNotQueued(t *testing.T) {
	h := newHouse(t).open()
	h.fault = errors.New("READONLY for +447700912345")
	status, answer, header := h.text(goText)
	h.refused(503, status, answer)
	if header.Get("Retry-After") == "" || strings.Contains(h.log.String(), "447700912345") {
		t.Errorf("headers %v, log %s", header, h.log)
	}
}

// Notify's id is the event's identity; without one a text is always new.
func TestTextKey(t *testing.T) {
	t.Parallel()
	for a, b := range map[string]string{
		`"b51f638b-0000-4000-8000-000000000001"`: "b51f638b-0000-4000-8000-000000000001",
		`"447700912345"`:                         "hashed-",
		`"jo@dept.gov.uk"`:                       "hashed-",
		`"a b"`:                                  "hashed-",
		`42`:                                     "42",
		`{"a":1}`:                                "hashed-",
	} {
		first, second := textKey([]byte(a)), textKey([]byte(a))
		if first != second || !strings.HasPrefix(first, b) || strings.Contains(first, "@") {
			t.Errorf("%s: %s, %s", a, first, second)
		}
	}
	for _, none := range []string{"", "null", `""`} {
		first, second := textKey([]byte(none)), textKey([]byte(none))
		if first == second {
			t.Errorf("%q is not new each time", none)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add(`"x"`)
	f.Add(`{"y":[1,2]}`)
	f.Fuzz(func(t *testing.T, id string) {
		key := textKey([]byte(id))
		if _, err := govwifi.ParsePhone(key); err == nil || job.EventKey(key) != key {
			t.Errorf("key %q", key)
		}
	})
}
