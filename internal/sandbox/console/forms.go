package console

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/mail"
	"net/url"
	"strings"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/outside"
	"github.com/govwifi/user-signup/internal/sandbox/trouble"
)

// maxForm bounds what a form may hold: a mail may have 40 MB, as with SES.
const maxForm = 41 << 20

// told is what a visitor is told after a form was taken.
func told(v url.Values) string {
	status := v.Get("status")
	switch done := v.Get("done"); {
	case done == "text" && status == "200":
		return "Text sent. The service answered its webhook with 200."
	case done == "mail" && status == "200":
		return "Email sent. The service answered its webhook with 200."
	case done == "again" && status == "200":
		return "Webhook delivered again. The service answered it with 200."
	case len(status) == 3 && strings.Trim(status, "0123456789") == "":
		return strings.TrimSpace("The service answered the webhook with " + status + ". " + refused[status])
	case done == "join":
		return "The wifi has answered."
	}
	return switched[v.Get("done")]
}

// refused is why the service does not take a webhook, and what to do, for each answer that
// a visitor can bring about.
var refused = map[string]string{
	"400": "It cannot tell who wrote: give the mail a From header with one email address, like name@dept.gov.uk.",
	"403": "It takes no news of a mail that is a day old: send the mail anew.",
	"413": "It is longer than a webhook may be, which is 512 KiB: send something shorter.",
	"503": "It cannot take it just now. A real sender tries again later: here, press “Deliver again” below its way.",
}

// switched is what there is to say of each switch.
var switched = map[string]string{
	"notify-well": "GOV.UK Notify works.", "notify-slow": "GOV.UK Notify is slow.", "notify-refusing": "GOV.UK Notify refuses every message.",
	"notify-down": "GOV.UK Notify is down.", "s3-well": "S3 works.", "s3-down": "S3 is down.", "worker-kill": "The worker was killed.",
	"worker-start": "The worker is coming up.", "archive-run": "What was given up is run again.",
}

// back sends the visitor to the page they came from, with what there is to tell.
func back(w http.ResponseWriter, r *http.Request, chosen choice, done string, status int) {
	path := chosen.path() + "&done=" + done
	if status != 0 {
		path += fmt.Sprintf("&status=%d", status)
	}
	http.Redirect(w, r, path, http.StatusSeeOther)
}

func (c *Console) sendText(w http.ResponseWriter, r *http.Request) {
	text := r.PostFormValue("text") // parses the form
	chosen := choose(r.PostForm)
	chosen.Text = text
	// Short codes and numbers of elsewhere may be tried: the service ignores some of them.
	if !digits.MatchString(r.PostFormValue("phone")) {
		c.renderTry(r.Context(), w, http.StatusUnprocessableEntity, chosen, "", []problem{{"phone-number", "Enter a phone number, like 07700 900123"}})
		return
	}
	letter, err := c.Post.Text(r.Context(), chosen.Phone, cmp.Or(r.PostFormValue("quick"), text))
	if err != nil {
		c.unreachable(w, err)
		return
	}
	back(w, r, chosen, "text", letter.Status)
}

func (c *Console) sendMail(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseMultipartForm(1 << 20); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		http.Error(w, "the form cannot be read: a mail has at most 40 MB", http.StatusRequestEntityTooLarge)
		return
	}
	chosen := choose(r.PostForm)
	chosen.To, chosen.Subject, chosen.Body = strings.TrimSpace(r.PostFormValue("to")), r.PostFormValue("subject"), r.PostFormValue("text")
	raw, problems := rawMail(r, &chosen)
	if len(problems) > 0 {
		c.renderTry(r.Context(), w, http.StatusUnprocessableEntity, chosen, "", problems)
		return
	}
	letter, err := c.Post.Mail(r.Context(), raw, chosen.From, []string{chosen.To})
	if err != nil {
		c.unreachable(w, err)
		return
	}
	back(w, r, chosen, "mail", letter.Status)
}

// rawMail makes the mail that the form describes, or takes the one that is attached. The
// problems are in the order of the fields.
func rawMail(r *http.Request, chosen *choice) (raw []byte, problems []problem) {
	file, _, err := r.FormFile("eml")
	attached := err == nil
	from := r.PostFormValue("from") // as typed: nobody writes as the default person unawares
	if _, err := govwifi.ParseEmail(from); !attached && (err != nil || strings.ContainsAny(from, "\r\n")) {
		problems = append(problems, problem{"mail-from", "Enter an email address in the correct format, like name@dept.gov.uk"})
	}
	if _, err := mail.ParseAddress(chosen.To); err != nil || strings.ContainsAny(chosen.To, "\r\n") {
		problems = append(problems, problem{"mail-to", "Enter one of the service’s addresses, like signup@wifi.service.gov.uk"})
	}
	if !attached {
		subject := strings.NewReplacer("\r", " ", "\n", " ").Replace(chosen.Subject)
		return outside.PlainMail(chosen.From, chosen.To, subject, chosen.Body), problems
	}
	raw, err = io.ReadAll(file)
	_ = file.Close()
	message, parseErr := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil || parseErr != nil || message.Header.Get("From") == "" {
		return nil, append(problems, problem{"mail-eml", "The selected file must be an email saved as .eml, with a From header"})
	}
	chosen.From = message.Header.Get("From")
	return raw, problems
}

// unreachable says that the webhook got no answer.
func (c *Console) unreachable(w http.ResponseWriter, err error) {
	c.Log.Error("a message of the console got no answer", "err", err)
	http.Error(w, "ingest did not answer; the sandbox's log says why", http.StatusBadGateway)
}

func (c *Console) sendAgain(w http.ResponseWriter, r *http.Request) {
	trace := r.PostFormValue("trace")
	letter, err := c.Post.Again(r.Context(), trace)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	back(w, r, choose(r.PostForm), "again", letter.Status)
}

// attempt is the wifi's answer to somebody's credentials; the zero value is none.
type attempt struct {
	At       time.Time
	Username string
	Yes      bool
}

// join tries the credentials of a message, or those that were typed in.
func (c *Console) join(w http.ResponseWriter, r *http.Request) {
	username, password := strings.TrimSpace(r.PostFormValue("username")), strings.TrimSpace(r.PostFormValue("password"))
	chosen, id := choose(r.PostForm), r.PostFormValue("message")
	if id != "" {
		for _, m := range c.Notify.Accepted() {
			if m.ID == id {
				username, password, _ = credentialsIn(m)
			}
		}
	}
	if username == "" || password == "" {
		chosen.Username = username
		var problems []problem
		if username == "" {
			problems = append(problems, problem{"wifi-username", "Enter your username"})
		}
		if password == "" {
			problems = append(problems, problem{"wifi-password", "Enter your password"})
		}
		c.renderTry(r.Context(), w, http.StatusUnprocessableEntity, chosen, "", problems)
		return
	}
	yes, err := c.Wifi.Join(r.Context(), username, password)
	if err != nil {
		c.Log.Error("the wifi did not answer", "err", err)
		http.Error(w, "the wifi did not answer; the sandbox's log says why", http.StatusBadGateway)
		return
	}
	c.mu.Lock()
	answer := attempt{time.Now(), username, yes}
	if id != "" {
		c.joined[id] = answer
	} else {
		c.tried = answer
	}
	c.mu.Unlock()
	c.Live.Changed()
	back(w, r, chosen, "join", 0)
}

func (c *Console) lastTried() attempt {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tried
}

func (c *Console) moveSwitch(w http.ResponseWriter, r *http.Request) {
	var err error
	what := r.PostFormValue("switch")
	switch {
	case strings.HasPrefix(what, "notify-"):
		err = c.Trouble.SetNotify(trouble.Notify(strings.TrimPrefix(what, "notify-")))
	case what == "s3-well", what == "s3-down":
		c.Trouble.SetS3(what == "s3-down")
	case what == "worker-kill":
		err = c.Trouble.KillWorker()
	case what == "worker-start":
		err = c.Trouble.StartWorker()
	case what == "archive-run":
		err = c.runArchived(r)
	case what == "redeliver":
		c.redeliverLast(w, r)
		return
	default:
		err = trouble.ErrUnknown
	}
	if errors.Is(err, trouble.ErrUnknown) {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err != nil {
		c.Log.Error("a switch did not move", "err", err)
		http.Error(w, "the switch did not move; the sandbox's log says why", http.StatusInternalServerError)
		return
	}
	back(w, r, choose(r.PostForm), what, 0)
}
