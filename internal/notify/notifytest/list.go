package notifytest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// pageSize is how many notifications or texts a page holds.
const pageSize = 250

var (
	statuses = []string{"cancelled", "created", "sending", "sent", "delivered", "pending", "failed", "technical-failure",
		"temporary-failure", "permanent-failure", "pending-virus-check", "validation-failed", "virus-scan-failed", "returned-letter"}
	templateTypes = []string{typeSMS, typeEmail, "letter"}
)

// ReceivedText is a text that a person sent to the service.
type ReceivedText struct {
	// ID and At are made up if left empty.
	ID string
	At time.Time
	// From is the sender as Notify has it, To the service's number.
	From, To, Content string
}

// ReceiveText adds a text to those that the service has received and returns its id.
func (s *Server) ReceiveText(t ReceivedText) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.ID == "" {
		t.ID = uuid.NewString()
	}
	if t.At.IsZero() {
		t.At = s.cfg.Now()
	}
	s.texts = append(s.texts, t)
	slices.SortStableFunc(s.texts, func(a, b ReceivedText) int { return a.At.Compare(b.At) })
	return t.ID
}

// ServeHTTP answers as Notify's API would.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Server) routes() {
	s.mux = http.NewServeMux()
	s.mux.HandleFunc("POST /v2/notifications/email", s.handleSend(typeEmail))
	s.mux.HandleFunc("POST /v2/notifications/sms", s.handleSend(typeSMS))
	s.mux.HandleFunc("GET /v2/notifications", s.handleGet(s.listNotifications))
	s.mux.HandleFunc("GET /v2/notifications/{id}", s.handleGet(s.getNotification))
	s.mux.HandleFunc("GET /v2/templates", s.handleGet(s.listTemplates))
	s.mux.HandleFunc("GET /v2/template/{id}", s.handleGet(s.getTemplate))
	s.mux.HandleFunc("GET /v2/received-text-messages", s.handleGet(s.listTexts))
	for _, path := range []string{"notifications", "notifications/{id}", "templates", "template/{id}", "received-text-messages"} {
		s.mux.HandleFunc("/v2/"+path, plainError(http.StatusMethodNotAllowed, "The method is not allowed for the requested URL."))
	}
	s.mux.HandleFunc("/", plainError(http.StatusNotFound, "Not found"))
}

// plainError is an answer from outside the API proper, which has a shape of its own.
func plainError(status int, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, status, map[string]string{"result": "error", "message": message})
	}
}

// handleGet checks the key and, unless the script says otherwise, answers with what
// the reader finds. Reading is not rate limited.
func (s *Server) handleGet(read func(*http.Request) (any, *refusal)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		fault := s.faultFor(func() Request {
			return Request{Endpoint: strings.TrimPrefix(r.URL.Path, "/v2/"), Reference: r.URL.Query().Get("reference")}
		})
		if !pause(r.Context(), fault.Delay) {
			panic(http.ErrAbortHandler)
		}
		if fault.hidden() {
			fault.answer(w, r)
			return
		}
		body, refused := s.read(r, read)
		if refused != nil {
			refused.write(w)
			return
		}
		writeJSON(w, http.StatusOK, body)
	}
}

func (s *Server) read(r *http.Request, read func(*http.Request) (any, *refusal)) (any, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if refused := s.authorise(r.Header.Get("Authorization")); refused != nil {
		return nil, refused
	}
	return read(r)
}

func (s *Server) listNotifications(r *http.Request) (any, *refusal) {
	query := r.URL.Query()
	if refused := checkQuery(query, "reference", "status", "template_type", "older_than", "include_jobs"); refused != nil {
		return nil, refused
	}
	before := len(s.store.rows)
	if id := query.Get("older_than"); id != "" {
		before = s.store.byID[id] // An unknown id gives 0, and so an empty page.
	}
	objects, last := []any{}, ""
	for row := range s.store.newestFirst(query.Get("reference"), before) {
		if len(objects) == pageSize || s.cfg.Now().Sub(row.At) > retention {
			break
		}
		if row.matches(query) {
			objects, last = append(objects, row.object(s.url)), row.ID
		}
	}
	return s.page("notifications", objects, query, last), nil
}

// matches applies the filters by type and status; everything here is delivered.
func (m stored) matches(query url.Values) bool {
	if types := query["template_type"]; types != nil && !slices.Contains(types, m.kind) {
		return false
	}
	wanted := query["status"]
	return wanted == nil || slices.Contains(wanted, "delivered")
}

// page wraps a list; "next" is there whenever the page is not empty.
func (s *Server) page(name string, objects []any, query url.Values, last string) map[string]any {
	if objects == nil {
		objects = []any{}
	}
	path := s.url + "/v2/" + name
	if name == "received_text_messages" {
		path = s.url + "/v2/received-text-messages"
	}
	links := map[string]string{"current": path + "?" + query.Encode()}
	if last != "" {
		next := url.Values{}
		for key, values := range query {
			next[key] = values
		}
		next.Set("older_than", last)
		links["next"] = path + "?" + next.Encode()
	}
	return map[string]any{name: objects, "links": links}
}

// checkQuery refuses unknown parameters and values that Notify does not know.
func checkQuery(query url.Values, known ...string) *refusal {
	var messages []string
	for name, values := range query {
		if !slices.Contains(known, name) {
			messages = append(messages, fmt.Sprintf("Additional properties are not allowed (%s was unexpected)", name))
			continue
		}
		for _, value := range values {
			messages = append(messages, checkParameter(name, value)...)
		}
	}
	if messages == nil {
		return nil
	}
	slices.Sort(messages)
	return refuse(http.StatusBadRequest, "ValidationError", messages...)
}

func checkParameter(name, value string) []string {
	allowed := map[string][]string{
		"status": statuses, "template_type": templateTypes, "type": templateTypes, "include_jobs": {"true", "True"},
	}[name]
	switch {
	case allowed != nil && !slices.Contains(allowed, value):
		return []string{fmt.Sprintf("%s %s is not one of [%s]", name, value, strings.Join(allowed, ", "))}
	case name == "older_than" && !isUUIDText(value):
		return []string{"older_than is not a valid UUID"}
	}
	return nil
}

func (s *Server) getNotification(r *http.Request) (any, *refusal) {
	id := r.PathValue("id")
	if !isUUIDText(id) {
		return nil, refuse(http.StatusBadRequest, "ValidationError", "notification_id is not a valid UUID")
	}
	row, found := s.store.get(id, s.cfg.Now())
	if !found {
		return nil, refuse(http.StatusNotFound, "NoResultFound", "No result found")
	}
	return row.object(s.url), nil
}

func (s *Server) listTemplates(r *http.Request) (any, *refusal) {
	if refused := checkQuery(r.URL.Query(), "type"); refused != nil {
		return nil, refused
	}
	objects := []any{}
	for _, t := range s.catalogue.listed(r.URL.Query().Get("type")) {
		objects = append(objects, t.object())
	}
	return map[string]any{"templates": objects}, nil
}

func (s *Server) getTemplate(r *http.Request) (any, *refusal) {
	id := r.PathValue("id")
	if !isUUIDText(id) {
		return nil, refuse(http.StatusBadRequest, "ValidationError", "id is not a valid UUID")
	}
	template, found := s.catalogue.byID(id)
	if !found {
		return nil, refuse(http.StatusNotFound, "NoResultFound", "No result found")
	}
	return template.object(), nil
}

func (s *Server) listTexts(r *http.Request) (any, *refusal) {
	query := r.URL.Query()
	if refused := checkQuery(query, "older_than"); refused != nil {
		return nil, refused
	}
	end := len(s.texts)
	if id := query.Get("older_than"); id != "" {
		// An unknown id gives -1, and so an empty page.
		end = max(0, slices.IndexFunc(s.texts, func(t ReceivedText) bool { return t.ID == id }))
	}
	objects, last := []any{}, ""
	for i := end - 1; i >= 0 && len(objects) < pageSize; i-- {
		text := s.texts[i]
		if s.cfg.Now().Sub(text.At) > retention {
			break
		}
		objects, last = append(objects, map[string]any{
			"id": text.ID, "created_at": apiTime(text.At), "service_id": s.key.serviceID,
			"notify_number": text.To, "user_number": text.From, "content": text.Content,
		}), text.ID
	}
	return s.page("received_text_messages", objects, query, last), nil
}
