package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Live tells open pages that there is something new to fetch.
type Live struct {
	mu       sync.Mutex
	version  int
	changed  chan struct{} // closed and replaced at each change
	watchers int
	scene    Scene
	closed   chan struct{}
	close    sync.Once
}

// Scene is what the tour has open pages show.
type Scene struct {
	// Path is the page with its query, empty for whatever is open.
	Path string `json:"path"`
	// Caption says what is going on.
	Caption string `json:"caption"`
}

// NewLive makes one that nobody watches yet.
func NewLive() *Live { return &Live{changed: make(chan struct{}), closed: make(chan struct{})} }

// Changed has every open page fetch what it shows again.
func (l *Live) Changed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bump()
}

// Show has every open page go to a scene.
func (l *Live) Show(s Scene) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.scene = s
	l.bump()
}

func (l *Live) bump() {
	l.version++
	close(l.changed)
	l.changed = make(chan struct{})
}

// Watched returns when a page is open, or with the context's error.
func (l *Live) Watched(ctx context.Context) error {
	for {
		l.mu.Lock()
		watchers, changed := l.watchers, l.changed
		l.mu.Unlock()
		if watchers > 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// end has all pages go, so that the server can.
func (l *Live) end() { l.close.Do(func() { close(l.closed) }) }

// settle is how long changes are gathered: a batch makes dozens at once. beat keeps a
// quiet connection open.
const (
	settle = 80 * time.Millisecond
	beat   = 15 * time.Second
)

// ServeHTTP sends an event for each change, until the page is closed.
func (l *Live) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	flusher, ok := w.(http.Flusher)
	if !ok {
		http.Error(w, "live updates need a connection that can be flushed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	l.enter(1)
	defer l.enter(-1)
	for seen, scene := -1, (Scene{}); ; {
		l.mu.Lock()
		version, now, changed := l.version, l.scene, l.changed
		l.mu.Unlock()
		if version != seen {
			seen = version
			writeEvent(w, "change", version)
			if now != scene {
				scene = now
				writeEvent(w, "scene", now)
			}
			flusher.Flush()
		}
		if !l.wait(r.Context(), changed) {
			return
		}
		_, _ = fmt.Fprint(w, ": beat\n\n") // a page that has gone ends the request's context
	}
}

// wait returns after a change has settled, or a beat; false at the end.
func (l *Live) wait(ctx context.Context, changed chan struct{}) bool {
	timer := time.NewTimer(beat)
	defer timer.Stop()
	select {
	case <-changed:
		timer.Reset(settle)
	case <-timer.C:
		return true
	case <-l.closed:
		return false
	case <-ctx.Done():
		return false
	}
	select {
	case <-timer.C:
		return true
	case <-l.closed:
		return false
	case <-ctx.Done():
		return false
	}
}

// enter counts a page in, or out.
func (l *Live) enter(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watchers += n
	l.bump()
}

func writeEvent(w http.ResponseWriter, name string, data any) {
	text, err := json.Marshal(data)
	if err != nil {
		panic(err) // only numbers and texts are in it
	}
	_, _ = fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, text)
}
