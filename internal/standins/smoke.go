package standins

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/notify/notifytest"
)

// SmokeConfig says where the stand-ins are.
type SmokeConfig struct {
	// Notify and Mail are the base URLs of the stand-ins' pages.
	Notify string `env:"STANDIN_NOTIFY_URL,required,notEmpty"`
	Mail   string `env:"STANDIN_MAIL_URL,required,notEmpty"`
}

// ErrMissing says that somebody did not get their message.
var ErrMissing = errors.New("not every message arrived")

// smokeTime is how long the messages of one webhook may take.
const smokeTime = 30 * time.Second

// wanted is a message that must arrive.
type wanted struct {
	to       govwifi.Contact
	template govwifi.Template
}

// step is one webhook and the messages that must come of it.
type step struct {
	title, url string
	form       url.Values
	wants      []wanted
}

// Smoke sends one webhook of each kind through the stack and prints what the people
// received. It returns ErrMissing, with who got nothing, unless all arrived. Each run
// is of new people, since the service does not answer a text that it gets over and over.
func Smoke(ctx context.Context, c SmokeConfig, out io.Writer) error {
	for _, s := range c.steps(newcomer()) {
		if err := c.play(ctx, s, out); err != nil {
			return err
		}
	}
	_, _ = fmt.Fprintln(out, "\nEvery message arrived.")
	return nil
}

// newcomer is a number from 300 to 599: with it and 300 more, two mobile numbers of
// Ofcom's range for drama, away from those that Notify treats specially.
func newcomer() int {
	n, err := rand.Int(rand.Reader, big.NewInt(300))
	if err != nil {
		panic(err) // the system has no randomness: nothing works then
	}
	return int(n.Int64()) + 300
}

func (c SmokeConfig) steps(who int) []step {
	jo := fmt.Sprintf("jo.smith%d@dept.gov.uk", who)
	from := "Jo Smith <" + jo + ">"
	visitor, guest := fmt.Sprintf("+447700900%d", who), fmt.Sprintf("+447700900%d", who+300)
	ada := fmt.Sprintf("ada%d@example.com", who)
	return []step{
		{"Jo, who works in a department, mails signup@", c.Mail + "/mail",
			url.Values{"from": {from}, "to": {"signup@wifi.service.gov.uk"}},
			[]wanted{{govwifi.Contact(jo), govwifi.SelfSignupCredentialsEmail}}},
		{"A visitor texts “Go”", c.Notify + "/text",
			url.Values{"from": {visitor[1:]}, "text": {"Go"}},
			[]wanted{{govwifi.Contact(visitor), govwifi.CredentialsSMS}}},
		{"The visitor cannot get a laptop to work and texts “Windows 11”", c.Notify + "/text",
			url.Values{"from": {visitor[1:]}, "text": {"Windows 11"}},
			[]wanted{{govwifi.Contact(visitor), govwifi.DeviceHelpWindowsSMS}}},
		{"Jo mails a list of guests to sponsor@", c.Mail + "/mail",
			url.Values{"from": {from}, "to": {"sponsor@wifi.service.gov.uk"}, "text": {ada + "\r\n" + guest}},
			[]wanted{{govwifi.Contact(ada), govwifi.SponsorCredentialsEmail}, {govwifi.Contact(guest), govwifi.CredentialsSMS},
				{govwifi.Contact(jo), govwifi.SponsorConfirmationPlural}}},
	}
}

// play sends the webhook of a step and waits for its messages.
func (c SmokeConfig) play(ctx context.Context, s step, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, smokeTime)
	defer cancel()
	before, err := c.accepted(ctx, "")
	if err != nil {
		return err
	}
	started := time.Now()
	status, err := post(ctx, s)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "\n▶ %s\n  the webhook was answered with %s\n", s.title, status)
	for all := before; ; {
		if found, missing := sort(all[min(len(before), len(all)):], s.wants); missing == nil {
			report(found, started, out)
			return nil
		} else if ctx.Err() != nil {
			return fmt.Errorf("%w: %s to %s", ErrMissing, missing.template, missing.to)
		}
		if all, err = c.accepted(ctx, fmt.Sprintf("?after=%d", len(all))); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// post sends the form that makes a stand-in deliver the webhook, and returns the
// status with which the service answered it.
func post(ctx context.Context, s step) (status string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, strings.NewReader(s.form.Encode()))
	if err != nil {
		return "", fmt.Errorf("post to a stand-in: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultTransport.RoundTrip(request) // the redirect is the answer
	if err != nil {
		return "", fmt.Errorf("post to a stand-in: %w", err)
	}
	text, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return "", fmt.Errorf("read a stand-in's answer: %w", err)
	}
	_, status, found := strings.Cut(response.Header.Get("Location"), "status=")
	if !found {
		return "", fmt.Errorf("post to a stand-in: it answers %s %s", response.Status, text)
	}
	return status, nil
}

// accepted asks Notify's stand-in what it accepted.
func (c SmokeConfig) accepted(ctx context.Context, query string) (all []notifytest.Accepted, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Notify+"/messages"+query, nil)
	if err != nil {
		return nil, fmt.Errorf("ask for the messages: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask for the messages: %w", err)
	}
	err = json.NewDecoder(response.Body).Decode(&all)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return nil, fmt.Errorf("read the messages: %w", err)
	}
	return all, nil
}

// sort finds what was wanted among the messages, and the first that is missing.
func sort(messages []notifytest.Accepted, wants []wanted) (found []notifytest.Accepted, missing *wanted) {
	for _, want := range wants {
		n := len(found)
		for _, m := range messages {
			if m.Template == want.template && govwifi.Contact(m.To).Equal(want.to) {
				found = append(found, m)
				break
			}
		}
		if len(found) == n && missing == nil {
			missing = &want
		}
	}
	return found, missing
}

func report(messages []notifytest.Accepted, started time.Time, out io.Writer) {
	for _, m := range messages {
		_, _ = fmt.Fprintf(out, "  ✔ %s received after %s:\n", m.To, m.At.Sub(started).Round(time.Millisecond))
		for line := range strings.Lines(strings.TrimSpace(m.Subject + "\n" + m.Body)) {
			_, _ = fmt.Fprintf(out, "      %s\n", strings.TrimRight(line, "\r\n"))
		}
	}
}
