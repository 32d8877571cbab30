package notifytest

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"
)

// Request is what a Script may decide on; nothing in it has been checked.
type Request struct {
	// Endpoint is email, sms, or for a GET the path after /v2/.
	Endpoint string
	// Template is the name of the template asked for, empty if there is no such.
	Template string
	// To is the recipient and Reference the reference, as sent.
	To, Reference string
}

// IsSend says whether the request is one to send a message.
func (r Request) IsSend() bool { return r.Endpoint == typeEmail || r.Endpoint == typeSMS }

// Fault is how a request goes wrong; the zero value is that it does not.
type Fault struct {
	// Delay passes before anything else happens.
	Delay time.Duration
	// Status is the answer, with Error and Message in Notify's shape; without an
	// Error it is a proxy's page in HTML.
	Status         int
	Error, Message string
	// Cut closes the connection without an answer; Hang leaves it open without one
	// until the client goes.
	Cut, Hang bool
	// Accept judges the request as ever and, if it is good, accepts the message,
	// before Status, Cut or Hang hides that from the client. Without it a faulty
	// request has no effect.
	Accept bool
	// Commit is called with the function that accepts the message, in place of
	// accepting it before the answer: Notify may still be committing when the client
	// has long gone. Implies Accept.
	Commit func(commit func())
}

// Script decides for each request, before it is judged, what goes wrong with it. It
// may be called for several requests at once, and may use the Server.
type Script func(Request) Fault

// Play makes the server follow a script; nil means that nothing goes wrong.
func (s *Server) Play(script Script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = script
}

// Always has every sending of a message go wrong in one way.
func Always(f Fault) Script {
	return func(r Request) Fault {
		if r.IsSend() {
			return f
		}
		return Fault{}
	}
}

// Next has the next n sendings go wrong in one way.
func Next(n int, f Fault) Script {
	var seen atomic.Int64
	return func(r Request) Fault {
		if r.IsSend() && seen.Add(1) <= int64(n) {
			return f
		}
		return Fault{}
	}
}

// faultFor asks the script, if there is one, about the request that describe gives;
// s.mu is held while it does.
func (s *Server) faultFor(describe func() Request) Fault {
	s.mu.Lock()
	script := s.script
	if script == nil {
		s.mu.Unlock()
		return Fault{}
	}
	request := describe()
	s.mu.Unlock()
	return script(request)
}

// hidden says whether the client gets something other than the true answer.
func (f Fault) hidden() bool { return f.Status != 0 || f.Cut || f.Hang }

func (f Fault) accepts() bool { return !f.hidden() || f.Accept || f.Commit != nil }

// answer gives the client what the fault says.
func (f Fault) answer(w http.ResponseWriter, r *http.Request) {
	switch {
	case f.Hang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case f.Cut:
		// net/http's own way to drop a connection, for HTTP/2 as well.
		panic(http.ErrAbortHandler)
	case f.Error != "":
		refuse(f.Status, f.Error, f.Message).write(w)
	default:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(f.Status)
		_, _ = w.Write([]byte("<html><h1>Something went wrong</h1></html>"))
	}
}

// pause waits, or says that the client has gone.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// refusal is an error answer in Notify's shape.
type refusal struct {
	status  int
	entries []refusalEntry
}

type refusalEntry struct {
	Error   string `json:"error"`
	Message string `json:"message"`
}

func refuse(status int, class string, messages ...string) *refusal {
	r := &refusal{status: status}
	for _, message := range messages {
		r.entries = append(r.entries, refusalEntry{class, message})
	}
	return r
}

// badRequest is the class of most of Notify's 400s.
func badRequest(message string) *refusal {
	return refuse(http.StatusBadRequest, "BadRequestError", message)
}

func (r *refusal) write(w http.ResponseWriter) {
	writeJSON(w, r.status, map[string]any{"status_code": r.status, "errors": r.entries})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // The client has gone: nobody to tell.
}
