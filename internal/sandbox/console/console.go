// Package console is the sandbox's page: a phone and a mailbox to write to the service
// with, the way of each message through it, switches that break the world around it, the
// figures of a year, and a wifi to try the credentials on. Every page works without
// JavaScript; with it, pages follow what happens.
package console

import (
	"bytes"
	"context"
	"embed"
	"html/template"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/hibiken/asynqmon"

	"github.com/govwifi/user-signup/internal/notify/notifytest"
	"github.com/govwifi/user-signup/internal/queue"
	"github.com/govwifi/user-signup/internal/sandbox/people"
	"github.com/govwifi/user-signup/internal/sandbox/post"
	"github.com/govwifi/user-signup/internal/sandbox/trail"
	"github.com/govwifi/user-signup/internal/sandbox/trouble"
	"github.com/govwifi/user-signup/internal/sandbox/wifi"
	"github.com/govwifi/user-signup/internal/sandbox/year"
	"github.com/govwifi/user-signup/internal/telemetry"
)

//go:embed pages static
var files embed.FS

// Config is what the page shows and moves.
type Config struct {
	Live    *Live
	Post    *post.Office
	Trail   *trail.Trail
	Notify  *notifytest.Server
	Jobs    *queue.Client
	Trouble *trouble.Switches
	People  *people.Table
	Wifi    *wifi.Server
	Year    *year.Year
	// Redis is where asynq's dashboard looks.
	Redis queue.URL
	// Ingest is where webhooks are taken, Mail where SMTP is spoken, and Admins are
	// the admin listeners by name.
	Ingest, Mail string
	Admins       map[string]string
	Log          *slog.Logger
}

// Console serves the page.
type Console struct {
	Config
	dashboard *asynqmon.HTTPHandler
	pages     map[string]*template.Template

	mu sync.Mutex
	// joined is the answer of the wifi to the credentials of a message, by its id;
	// tried is the one to the last that were typed in.
	joined map[string]attempt
	tried  attempt
}

// New makes the page.
func New(c Config) *Console {
	pages := map[string]*template.Template{}
	for _, name := range []string{"try", "numbers", "people"} {
		pages[name] = template.Must(template.New("").Funcs(functions).ParseFS(files, "pages/layout.html", "pages/"+name+".html"))
	}
	dashboard := asynqmon.New(asynqmon.Options{RootPath: "/asynqmon", RedisConnOpt: c.Redis.Single(),
		// Nobody's contact is shown, be payloads sealed or not; no job has a result.
		PayloadFormatter: asynqmon.PayloadFormatterFunc(queue.Label),
		ResultFormatter:  asynqmon.ResultFormatterFunc(func(string, []byte) string { return "" })})
	return &Console{Config: c, dashboard: dashboard, pages: pages, joined: map[string]attempt{}}
}

// Close frees what the dashboard holds.
func (c *Console) Close() { _ = c.dashboard.Close() }

// Serve answers until ctx ends.
func (c *Console) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: c.Handler(), ReadHeaderTimeout: 5 * time.Second}
	server.RegisterOnShutdown(c.Live.end)
	return telemetry.ServeUntil(ctx, server, listener)
}

// Handler is all routes.
func (c *Console) Handler() http.Handler {
	static, err := fs.Sub(files, "static")
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", c.showTry)
	mux.HandleFunc("GET /numbers", c.showNumbers)
	mux.HandleFunc("GET /people", c.showPeople)
	mux.HandleFunc("POST /text", c.sendText)
	mux.HandleFunc("POST /mail", c.sendMail)
	mux.HandleFunc("POST /again", c.sendAgain)
	mux.HandleFunc("POST /join", c.join)
	mux.HandleFunc("POST /trouble", c.moveSwitch)
	mux.Handle("GET /live", c.Live)
	mux.Handle("GET /static/", http.StripPrefix("/static/", http.FileServerFS(static)))
	pages := guarded(mux)
	root := http.NewServeMux()
	root.Handle("/asynqmon/", c.dashboard) // its page has scripts and fonts of its own
	root.Handle("/", pages)
	// Other sites cannot post through a visitor's browser.
	return http.NewCrossOriginProtection().Handler(onLoopback(root))
}

// guarded allows a page nothing but its own files: no script or style in the page
// itself, no frame around it, no other place to send a form to.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "+
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// onLoopback refuses requests for other names: a page elsewhere whose name is made to
// point here would otherwise be ours to the browser (DNS rebinding).
func onLoopback(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := (&url.URL{Host: r.Host}).Hostname()
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "the sandbox answers on this machine only: open http://127.0.0.1 with its port", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// frame is what every page has.
type frame struct {
	// Title and Path are the page's own.
	Title, Path string
	// Told is the sentence after a form was posted.
	Told string
	// Problems are what was wrong with the form, for the summary above.
	Problems []problem
	Ingest   string
	Mail     string
	Admins   map[string]string
	Page     any
}

// problem is a fault in a form: its field and what to do about it.
type problem struct{ Field, Text string }

// show renders a page whole before the first byte is sent.
func (c *Console) show(w http.ResponseWriter, status int, name string, f frame) {
	f.Ingest, f.Mail, f.Admins = c.Ingest, c.Mail, c.Admins
	var b bytes.Buffer
	if err := c.pages[name].ExecuteTemplate(&b, "layout", f); err != nil {
		c.Log.Error("a page of the console cannot be shown", "page", name, "err", err)
		http.Error(w, "this page cannot be shown; the sandbox's log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // the visitor may be gone
}
