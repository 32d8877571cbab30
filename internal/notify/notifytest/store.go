package notifytest

import (
	"iter"
	"slices"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// retention is how long Notify keeps messages and received texts.
const retention = 7 * 24 * time.Hour

// Accepted is one message that Notify took.
type Accepted struct {
	// ID is Notify's id of the message.
	ID string
	// Reference is the sender's, empty if none was given.
	Reference string
	// Template is the name of the template.
	Template govwifi.Template
	// To is the recipient as sent.
	To string
	// Personalisation is what was sent, lists and numbers turned to text.
	Personalisation map[string]string
	// Subject and Body are what the person reads; texts have no subject.
	Subject, Body string
	// ReplyTo is the id of the reply-to address, empty for the default.
	ReplyTo string
	// At is when it was accepted.
	At time.Time
}

// stored is a message as the API can list it.
type stored struct {
	Accepted
	kind     string
	template liveTemplate
	// smokeTest is that nobody is sent it: recipient.isSmokeTest.
	smokeTest bool
}

// store keeps what was accepted. Messages to smoke-test recipients are accepted but
// not stored, as in Notify.
type store struct {
	accepted []Accepted
	// changed is closed, and replaced, when a message is accepted.
	changed     chan struct{}
	rows        []stored
	byReference map[string][]int
	byID        map[string]int
}

func newStore() store {
	return store{changed: make(chan struct{}), byReference: map[string][]int{}, byID: map[string]int{}}
}

func (s *store) add(m stored) {
	s.accepted = append(s.accepted, m.Accepted)
	if !m.smokeTest {
		s.byReference[m.Reference] = append(s.byReference[m.Reference], len(s.rows))
		s.byID[m.ID] = len(s.rows)
		s.rows = append(s.rows, m)
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// newestFirst goes through the messages with a reference, or through all if it is
// empty, from the one before the given row on.
func (s *store) newestFirst(reference string, before int) iter.Seq[stored] {
	return func(yield func(stored) bool) {
		if reference == "" {
			for i := before - 1; i >= 0; i-- {
				if !yield(s.rows[i]) {
					return
				}
			}
			return
		}
		for _, i := range slices.Backward(s.byReference[reference]) {
			if i < before && !yield(s.rows[i]) {
				return
			}
		}
	}
}

func (s *store) get(id string, now time.Time) (stored, bool) {
	i, ok := s.byID[id]
	if !ok || now.Sub(s.rows[i].At) > retention {
		return stored{}, false
	}
	return s.rows[i], true
}

// object is the message as the API shows it.
func (m stored) object(baseURL string) map[string]any {
	object := map[string]any{
		"id": m.ID, "reference": nil, "email_address": nil, "phone_number": nil,
		"line_1": nil, "line_2": nil, "line_3": nil, "line_4": nil, "line_5": nil, "line_6": nil, "postcode": nil,
		"type": m.kind, "status": "delivered", "body": m.Body, "subject": nil, "postage": nil,
		"template":        map[string]any{"id": m.template.id, "version": m.template.version, "uri": baseURL + "/v2/template/" + m.template.id + "/version/1"},
		"created_at":      apiTime(m.At),
		"created_by_name": nil, "sent_at": apiTime(m.At), "completed_at": apiTime(m.At), "scheduled_for": nil,
		"one_click_unsubscribe_url": nil, "is_cost_data_ready": true, "cost_in_pounds": 0, "cost_details": map[string]any{},
	}
	if m.Reference != "" {
		object["reference"] = m.Reference
	}
	if m.kind == typeEmail {
		object["email_address"], object["subject"] = m.To, m.Subject
	} else {
		object["phone_number"] = m.To
	}
	return object
}
