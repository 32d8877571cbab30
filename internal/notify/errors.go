package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// How long to send nothing after an answer that says so.
const (
	// ratePause lets Notify's bucket, which refused calls drain too, fill again;
	// up to twice as long, so that workers do not come back together.
	ratePause = 3 * time.Second
	// keyPause is for a key that Notify does not take: only a person can mend
	// that, but most often it is a rotation that is over in a minute.
	keyPause = 30 * time.Second
	// clockMargin is added to midnight: Notify's clock and ours may be 30 s apart,
	// and who comes before its midnight would be sent away until the next one.
	clockMargin = 30 * time.Second
)

// answerError is an answer that says no. Its text is fit for logs and the archive.
type answerError struct {
	status int
	// class is Notify's name of the error; several are joined by commas.
	class string
	// message is what Notify says, masked and shortened.
	message string
	// kind is the sentinel it amounts to; nil for those that are merely retried.
	kind error
	// noRoute says that it is notify-pit's answer to what it does not have. Notify
	// itself words its 404s otherwise.
	noRoute bool
}

func (e *answerError) Error() string {
	text := fmt.Sprintf("GOV.UK Notify answered %d %s", e.status, e.class)
	text = strings.TrimSpace(text)
	if e.message != "" {
		text += ": " + e.message
	}
	if e.kind != nil {
		text = e.kind.Error() + ": " + text
	}
	return text
}

func (e *answerError) Unwrap() error { return e.kind }

// isOurBadRequest finds the 400s that a fresh template id might cure.
func isOurBadRequest(err error) bool {
	var e *answerError
	return errors.As(err, &e) && e.status == http.StatusBadRequest && e.kind == govwifi.ErrMisconfigured
}

// sendError says what a POST's refusal amounts to, per docs/facts.md A7:
//
//	400          the recipient's fault or ours: see badRequest
//	401 403      our key or clock: ErrMisconfigured, and send nothing for keyPause
//	429          SlowDownError: a few seconds; TooManyRequestsError: until 00:00 UTC, for
//	             messages of that kind, of which each has a limit (docs/facts.md, A8)
//	5xx          ErrAmbiguous: Notify normally takes the message back, but not always
//	2xx, not 201 ErrAmbiguous: whatever answered, the message may have gone
//	others       ErrMisconfigured: that is not Notify's API (base URL, proxy)
func (c *Client) sendError(a answer, m govwifi.Message) error {
	e := decodeError(a, m)
	if e.kind == nil && a.status != http.StatusTooManyRequests {
		e.kind = govwifi.ErrAmbiguous
	}
	return c.withPause(e)
}

// readError is sendError for a GET: what would be ambiguous is merely retried.
func (c *Client) readError(a answer) error {
	return c.withPause(decodeError(a, govwifi.Message{}))
}

func (c *Client) withPause(e *answerError) error {
	switch e.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return &govwifi.SlowDownError{Wait: keyPause, Err: e}
	case http.StatusTooManyRequests:
		if strings.Contains(e.class, "TooManyRequestsError") {
			return &govwifi.SlowDownError{Wait: untilMidnight(c.now()) + clockMargin, OneKind: true, Err: e}
		}
		return &govwifi.SlowDownError{Wait: ratePause + rand.N(ratePause), Err: e}
	}
	return e
}

func untilMidnight(now time.Time) time.Duration {
	now = now.UTC()
	return now.Truncate(24 * time.Hour).Add(24 * time.Hour).Sub(now)
}

// errorEntry is one of the errors in an answer.
type errorEntry struct {
	Class   string `json:"error"`
	Message string `json:"message"`
}

// decodeError reads a refusal leniently: proxies answer in HTML, other stand-ins in
// JSON of other shapes. What cannot be read is not shown.
func decodeError(a answer, m govwifi.Message) *answerError {
	var body struct {
		Errors  []json.RawMessage `json:"errors"`
		Message json.RawMessage   `json:"message"`
		Detail  json.RawMessage   `json:"detail"`
	}
	entries := []errorEntry{}
	if json.Unmarshal(a.body, &body) == nil {
		if len(body.Errors) == 0 {
			body.Errors = []json.RawMessage{body.Message}
		}
		for _, raw := range body.Errors {
			// An entry of another shape stays as an empty one, which is no refusal.
			var entry errorEntry
			if json.Unmarshal(raw, &entry) != nil {
				_ = json.Unmarshal(raw, &entry.Message)
			}
			entries = append(entries, entry)
		}
	}
	e := &answerError{status: a.status, kind: kindOf(a.status, entries)}
	e.noRoute = a.status == http.StatusNotFound && string(body.Detail) == `"Not Found"`
	classes, messages := []string{}, []string{}
	for _, entry := range entries {
		if entry.Class != "" {
			classes = append(classes, entry.Class)
		}
		if entry.Message != "" {
			messages = append(messages, entry.Message)
		}
	}
	e.class = presentable(strings.Join(classes, ", "), m)
	e.message = presentable(strings.Join(messages, "; "), m)
	return e
}

// kindOf is the sentinel of a status; nil where it depends on GET or POST.
func kindOf(status int, entries []errorEntry) error {
	switch {
	case status == http.StatusBadRequest:
		return badRequest(entries)
	case status == http.StatusTooManyRequests, status >= 500, status < 300:
		return nil
	}
	return govwifi.ErrMisconfigured
}

// refusals are the 400s that are about the recipient or the text of this one
// message, by class and a part of the message in lower case (empty: any message).
// Notify says that its messages may change, but BadRequestError has nothing else to
// tell the two apart. So the table names only what is refused for good, and what it
// does not know is ErrMisconfigured: that keeps the message, at the worst for
// longer than of use, while a wrong refusal would lose it. A ValidationError of any
// other field is ours, and so is a bug.
var refusals = []struct{ class, part string }{
	{"InvalidPhoneError", ""},
	{"InvalidEmailError", ""},
	{"BadRequestError", "to international mobile"}, // Cannot send to international mobile numbers
	{"BadRequestError", "send to this recipient"},  // … using a team-only API key; … when service is in trial mode
	{"BadRequestError", "recipient can"},           // Recipient can't be empty
	{"BadRequestError", "message is too long"},
	{"BadRequestError", "message is empty"},
}

// badRequest sorts a 400: refused only if every one of its errors is a refusal.
func badRequest(entries []errorEntry) error {
	if len(entries) == 0 {
		return govwifi.ErrMisconfigured
	}
	for _, entry := range entries {
		if !isRefusal(entry) {
			return govwifi.ErrMisconfigured
		}
	}
	return govwifi.ErrRefused
}

func isRefusal(entry errorEntry) bool {
	if entry.Class == "ValidationError" {
		field, _, _ := strings.Cut(entry.Message, " ")
		return field == "phone_number" || field == "email_address"
	}
	message := strings.ToLower(entry.Message)
	for _, refusal := range refusals {
		if entry.Class == refusal.class && strings.Contains(message, refusal.part) {
			return true
		}
	}
	return false
}

// presentable makes what Notify said fit for a log: one line, no longer than a
// sentence or two, contacts masked and without the values that we sent, some of
// which Notify repeats ("reference <value> is too long").
func presentable(text string, m govwifi.Message) string {
	const maxRunes, shortest = 300, 3
	values := []string{m.Reference}
	for _, value := range m.Personalisation {
		values = append(values, value)
	}
	for _, value := range values {
		if len(value) >= shortest {
			text = strings.ReplaceAll(text, value, "…")
		}
	}
	text = strings.ToValidUTF8(strings.Join(strings.FieldsFunc(text, unprintable), " "), "")
	text = govwifi.Mask(text)
	if runes := []rune(text); len(runes) > maxRunes {
		text = string(runes[:maxRunes]) + "…"
	}
	return text
}

func unprintable(r rune) bool { return unicode.IsSpace(r) || !unicode.IsGraphic(r) }
