package standins

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/govwifi/user-signup/internal/notify/notifytest"
	"github.com/govwifi/user-signup/internal/outside"
)

// NotifyConfig is the environment of the GOV.UK Notify stand-in.
type NotifyConfig struct {
	Admin Admin
	// Addr serves Notify's API, and a page with what people received.
	Addr string `env:"STANDIN_NOTIFY_ADDR" envDefault:":8000"`
	// Key is the only API key that it takes.
	Key string `env:"NOTIFY_API_KEY,required,notEmpty"`
	// Ingest takes the texts that people send; Token is what Notify shows there.
	Ingest string `env:"STANDIN_INGEST_URL,required,notEmpty"`
	Token  string `env:"GOVNOTIFY_BEARER_TOKEN,required,notEmpty"`
}

// Notify serves the stand-in for GOV.UK Notify until ctx ends.
func Notify(ctx context.Context, c NotifyConfig) error {
	return serve(ctx, c.Admin, site{c.Addr, newPhones(c).handler()})
}

// phones are the people with telephones, and the Notify between them and the service.
type phones struct {
	notify *notifytest.Server
	world  *outside.World
}

func newPhones(c NotifyConfig) phones {
	return phones{notifytest.New(notifytest.Config{Key: c.Key}), &outside.World{Ingest: c.Ingest, Token: c.Token}}
}

func (p phones) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/v2/", p.notify)
	mux.HandleFunc("GET /{$}", p.show)
	mux.HandleFunc("GET /messages", p.messages)
	mux.HandleFunc("POST /text", p.text)
	return http.NewCrossOriginProtection().Handler(mux)
}

func (p phones) show(w http.ResponseWriter, r *http.Request) {
	messages := p.notify.Accepted()
	slices.Reverse(messages)
	show(w, struct {
		Title, Status string
		Texts         bool
		Messages      []notifytest.Accepted
	}{"GOV.UK Notify", r.URL.Query().Get("status"), true, messages})
}

// waitTime is how long /messages waits for one more: below what clients bear.
const waitTime = 20 * time.Second

// messages lists what was accepted, as JSON. With after=N it waits until there are
// more than N, or for waitTime.
func (p phones) messages(w http.ResponseWriter, r *http.Request) {
	accepted := p.notify.Accepted()
	if n, err := strconv.Atoi(r.URL.Query().Get("after")); err == nil {
		ctx, cancel := context.WithTimeout(r.Context(), waitTime)
		defer cancel()
		accepted, _ = p.notify.Wait(ctx, n+1) // what there is by then is the answer
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(accepted) // the reader may be gone
}

// text is a person's text, delivered as Notify delivers it.
func (p phones) text(w http.ResponseWriter, r *http.Request) {
	deliver(w, r, p.world, p.world.Text(r.FormValue("from"), r.FormValue("text")))
}

// deliver posts an event to the service and shows its answer.
func deliver(w http.ResponseWriter, r *http.Request, world *outside.World, e outside.Event) {
	status, err := world.Deliver(r.Context(), e)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	http.Redirect(w, r, "/?status="+strconv.Itoa(status), http.StatusSeeOther)
}
