package notifytest

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/govwifi/user-signup/internal/govwifi"
)

// The longest messages after filling in the placeholders.
const (
	maxSMSRunes   = 918
	maxEmailBytes = 2_000_000
	maxBody       = 10 << 20
)

// handleSend serves POST /v2/notifications/email and /sms.
func (s *Server) handleSend(kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			panic(http.ErrAbortHandler) // Cut on the way: there is nobody to answer.
		}
		fault := s.faultFor(func() Request { return s.describe(kind, body) })
		if !pause(r.Context(), fault.Delay) {
			panic(http.ErrAbortHandler)
		}
		if !fault.accepts() {
			fault.answer(w, r)
			return
		}
		message, refused := s.judge(kind, r.Header.Get("Authorization"), body)
		if refused == nil {
			s.acceptBy(fault, message)
		}
		switch {
		case fault.hidden():
			fault.answer(w, r)
		case refused != nil:
			refused.write(w)
		default:
			writeJSON(w, http.StatusCreated, s.created(message))
		}
	}
}

// acceptBy accepts a message now, or when the fault's Commit sees fit.
func (s *Server) acceptBy(fault Fault, message stored) {
	var once sync.Once
	accept := func() {
		once.Do(func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			message.At = s.cfg.Now()
			s.store.add(message)
			s.daily.count(message.kind, message.At)
		})
	}
	if fault.Commit != nil {
		fault.Commit(accept)
		return
	}
	accept()
}

// describe reads what a script may want to know from an unchecked body. The
// caller holds s.mu.
func (s *Server) describe(kind string, body []byte) Request {
	f, _ := decode(body)
	template, _ := s.catalogue.byID(f.text("template_id"))
	return Request{Endpoint: kind, Template: template.Name, To: f.text("email_address") + f.text("phone_number"), Reference: f.text("reference")}
}

// judge checks a request in Notify's order: key, limits, JSON, schema, template,
// reply-to, recipient, length.
func (s *Server) judge(kind, authorization string, body []byte) (stored, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.authorise(authorization); r != nil {
		return stored{}, r
	}
	if r := s.bucket.take(s.cfg.Now()); r != nil {
		return stored{}, r
	}
	if r := s.daily.check(kind, s.cfg.PerDay, s.cfg.Now()); r != nil {
		return stored{}, r
	}
	request, r := decode(body)
	if r != nil {
		return stored{}, r
	}
	to, r := checkForm(kind, request)
	if r != nil {
		return stored{}, r
	}
	return s.compose(kind, to, request)
}

// checkForm checks a request against the schema of its kind.
func checkForm(kind string, request fields) (recipient, *refusal) {
	to, rules := recipient{text: strings.TrimSpace(request.text("email_address"))}, emailRules
	if kind == typeSMS {
		to.text = strings.TrimSpace(request.text("phone_number"))
		rules = smsRules(&to.number)
	}
	r := validate(request, rules)
	return to, r
}

// compose makes the message of a request whose form is right.
func (s *Server) compose(kind string, to recipient, request fields) (stored, *refusal) {
	template, r := s.usableTemplate(kind, request.text("template_id"))
	if r != nil {
		return stored{}, r
	}
	personalisation, _ := request["personalisation"].(map[string]any)
	rendered, r := render(template, personalisation)
	if r != nil {
		return stored{}, r
	}
	if r := s.checkSender(request); r != nil {
		return stored{}, r
	}
	if kind == typeSMS {
		if r := checkServed(to.number, s.cfg.UKOnly); r != nil {
			return stored{}, r
		}
	}
	if r := checkLength(kind, rendered); r != nil {
		return stored{}, r
	}
	values := make(map[string]string, len(personalisation))
	for name, value := range personalisation {
		if value != nil {
			values[name] = valueText(value, kind)
		}
	}
	return stored{kind: kind, template: template, smokeTest: to.isSmokeTest(), Accepted: Accepted{
		ID: uuid.NewString(), Reference: request.text("reference"), Template: govwifi.Template(template.Name), To: to.text,
		Personalisation: values, Subject: rendered.subject, Body: rendered.body, ReplyTo: request.text("email_reply_to_id"),
	}}, nil
}

func (s *Server) usableTemplate(kind, id string) (liveTemplate, *refusal) {
	template, found := s.catalogue.byID(strings.ToLower(id))
	switch {
	case !found:
		return template, badRequest("Template not found")
	case template.Type != kind:
		return template, badRequest(fmt.Sprintf("%s template is not suitable for %s notification", template.Type, kind))
	case template.archived:
		return template, badRequest("Template has been deleted")
	}
	return template, nil
}

// checkSender checks the ids of the reply-to address and of the text's sender, of
// which the imitated service has none of its own.
func (s *Server) checkSender(request fields) *refusal {
	for field, known := range map[string][]string{"email_reply_to_id": s.cfg.ReplyTo, "sms_sender_id": nil} {
		if id := request.text(field); id != "" && !slices.Contains(known, strings.ToLower(id)) {
			return badRequest(fmt.Sprintf("%s %s does not exist in database for service id %s", field, id, s.key.serviceID))
		}
	}
	return nil
}

func checkLength(kind string, r rendering) *refusal {
	length := utf8.RuneCountInString(r.body)
	switch {
	case strings.TrimSpace(r.body) == "":
		return badRequest("Your message is empty.")
	case kind == typeSMS && length > maxSMSRunes:
		return badRequest(fmt.Sprintf("Your message is too long. Text messages cannot be longer than %d characters. Your message is %d characters long.", maxSMSRunes, length))
	case kind == typeEmail && len(r.body) > maxEmailBytes:
		return badRequest(fmt.Sprintf("Your message is too long. Emails cannot be longer than %d bytes. Your message is %d bytes.", maxEmailBytes, len(r.body)))
	}
	return nil
}

// created is the body of a 201.
func (s *Server) created(m stored) map[string]any {
	var reference any
	if m.Reference != "" {
		reference = m.Reference
	}
	body := map[string]any{
		"id": m.ID, "reference": reference, "uri": s.url + "/v2/notifications/" + m.ID, "scheduled_for": nil,
		"template": map[string]any{"id": m.template.id, "version": m.template.version,
			"uri": s.url + "/services/" + mustParseKey(s.Key()).serviceID + "/templates/" + m.template.id},
	}
	if m.kind == typeSMS {
		body["content"] = map[string]any{"body": m.Body, "from_number": "GOVUK"}
		return body
	}
	body["content"] = map[string]any{"from_email": "govwifi@notifications.service.gov.uk", "subject": m.Subject,
		"body": m.Body, "one_click_unsubscribe_url": nil}
	body["sanitised_content"] = map[string]any{}
	return body
}
