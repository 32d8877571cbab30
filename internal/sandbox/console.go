package sandbox

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/hibiken/asynqmon"

	"github.com/govwifi/user-signup/internal/notify/notifytest"
	"github.com/govwifi/user-signup/internal/outside"
	"github.com/govwifi/user-signup/internal/queue"
	"github.com/govwifi/user-signup/internal/telemetry"
)

//go:embed console.html
var files embed.FS

var page = template.Must(template.ParseFS(files, "console.html"))

// startConsole serves the page on which a newcomer writes to the service and reads
// its answers, with asynq's own dashboard below it.
func (s *Sandbox) startConsole(ctx context.Context, addr string, redisURL queue.URL) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen for the console: %w (is another sandbox running?)", err)
	}
	s.Console = "http://" + listener.Addr().String()
	dashboard := asynqmon.New(asynqmon.Options{RootPath: "/asynqmon", RedisConnOpt: redisURL.Single(),
		// Nobody's contact is shown, be payloads sealed or not; no job has a result.
		PayloadFormatter: asynqmon.PayloadFormatterFunc(queue.Label),
		ResultFormatter:  asynqmon.ResultFormatterFunc(func(string, []byte) string { return "" })})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.showPage)
	mux.HandleFunc("POST /text", s.sendText)
	mux.HandleFunc("POST /mail", s.sendMail)
	mux.Handle("/asynqmon/", dashboard)
	server := &http.Server{Handler: sameOrigin(mux), ReadHeaderTimeout: 5 * time.Second}
	s.group.Go(func() error { return telemetry.ServeUntil(ctx, server, listener) })
	s.stop = append(s.stop, func() { _ = dashboard.Close() })
	return nil
}

// sameOrigin keeps other sites from posting through a visitor's browser.
func sameOrigin(next http.Handler) http.Handler {
	return http.NewCrossOriginProtection().Handler(next)
}

func (s *Sandbox) showPage(w http.ResponseWriter, r *http.Request) {
	messages := s.Notify.Accepted()
	slices.Reverse(messages)
	var b bytes.Buffer
	err := page.Execute(&b, struct {
		Messages []notifytest.Accepted
		Ingest   string
		Admins   map[string]string
		Status   string
	}{messages, s.World.Ingest, s.admins, r.URL.Query().Get("status")})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = b.WriteTo(w)
}

func (s *Sandbox) sendText(w http.ResponseWriter, r *http.Request) {
	s.deliver(w, r, s.World.Text(r.FormValue("from"), r.FormValue("text")))
}

func (s *Sandbox) sendMail(w http.ResponseWriter, r *http.Request) {
	to := r.FormValue("to")
	event, err := s.World.Mail(outside.PlainMail(r.FormValue("from"), to, "Sign-up", r.FormValue("text")), to, nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.deliver(w, r, event)
}

func (s *Sandbox) deliver(w http.ResponseWriter, r *http.Request, e outside.Event) {
	status, err := s.World.Deliver(r.Context(), e)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	http.Redirect(w, r, fmt.Sprintf("/?status=%d", status), http.StatusSeeOther)
}
