// Package notify speaks GOV.UK Notify's v2 API (docs/facts.md, section A) and turns
// its answers into the domain's errors. It sends messages, asks what was sent, and
// lists templates and received texts. It never logs, and no error of it shows a
// body, a credential or an unmasked contact.
package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// PublicURL is where GOV.UK Notify is.
const PublicURL = "https://api.notifications.service.gov.uk"

// Endpoints as Config.Observe names them: few and fixed, fit for a metric's label.
const (
	endpointEmail         = "email"
	endpointSMS           = "sms"
	endpointNotifications = "notifications"
	endpointTemplates     = "templates"
	endpointReceivedTexts = "received-texts"
)

// Endpoints lists what Config.Observe may name.
func Endpoints() []string {
	return []string{endpointEmail, endpointSMS, endpointNotifications, endpointTemplates, endpointReceivedTexts}
}

// Config says whose messages these are and how to reach Notify.
type Config struct {
	// APIKey is Notify's {name}-{service id}-{secret}; required, never printed.
	APIKey string
	// BaseURL is where the API is; empty means PublicURL.
	BaseURL string
	// ReplyTo gives the id in Notify of each reply-to address. An empty or missing
	// one leaves the field out, and Notify uses the service's default. The ids are
	// sent as they are: a wrong one fails emails, and must not keep texts from going.
	ReplyTo map[govwifi.ReplyTo]string
	// Timeout bounds one request with its answer; 0 means 35 s. It must exceed the
	// 30 s after which Notify itself gives up, or outcomes become unknown for nothing.
	Timeout time.Duration
	// Transport carries the requests; nil means NewTransport().
	Transport http.RoundTripper
	// Now is the clock for tokens and for the daily limit; nil means time.Now.
	Now func() time.Time
	// Observe is told of every request: the endpoint (email, sms, notifications,
	// templates, received-texts), the HTTP status or 0 where no answer came, and
	// how long it took. Nil means nobody listens.
	Observe func(endpoint string, status int, took time.Duration)
}

// Client is one service's access to Notify, safe for any number of goroutines.
type Client struct {
	key       apiKey
	baseURL   string
	replyTo   map[govwifi.ReplyTo]string
	timeout   time.Duration
	http      *http.Client
	now       func() time.Time
	observe   func(endpoint string, status int, took time.Duration)
	templates *templateIDs
}

// New checks the configuration; it makes no request. Its error never shows the key.
func New(cfg Config) (*Client, error) {
	key, keyErr := parseKey(cfg.APIKey)
	base, urlErr := parseBaseURL(cfg.BaseURL)
	if err := errors.Join(keyErr, urlErr); err != nil {
		return nil, err
	}
	c := &Client{key: key, baseURL: base, replyTo: cfg.ReplyTo, timeout: cfg.Timeout, now: cfg.Now, observe: cfg.Observe}
	if c.timeout <= 0 {
		c.timeout = 35 * time.Second
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.observe == nil {
		c.observe = func(string, int, time.Duration) {}
	}
	transport := cfg.Transport
	if transport == nil {
		transport = NewTransport()
	}
	// A redirect would turn a POST into a GET and take our token elsewhere.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.http = &http.Client{Transport: transport, CheckRedirect: stay}
	c.templates = newTemplateIDs(c.Templates, c.now)
	return c, nil
}

// CheckKey says what is wrong with an API key's form, without showing it.
func CheckKey(text string) error { _, err := parseKey(text); return err }

// CheckBaseURL says what is wrong with a base URL; an empty one is PublicURL.
func CheckBaseURL(text string) error { _, err := parseBaseURL(text); return err }

func parseBaseURL(text string) (string, error) {
	if text == "" {
		return PublicURL, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || (u.Scheme != "https" && u.Scheme != "http") {
		return "", errors.New("the GOV.UK Notify base URL is not of the form https://host")
	}
	return strings.TrimRight(text, "/"), nil
}

// sendRequest is the body of a POST. Notify refuses empty optional fields and
// fields of the other kind of message, so every field is left out when empty.
type sendRequest struct {
	EmailAddress    string            `json:"email_address,omitempty"`
	PhoneNumber     string            `json:"phone_number,omitempty"`
	TemplateID      string            `json:"template_id"`
	Personalisation map[string]string `json:"personalisation,omitempty"`
	Reference       string            `json:"reference,omitempty"`
	EmailReplyToID  string            `json:"email_reply_to_id,omitempty"`
}

// Send hands one message to Notify, by email or as a text as its template's name
// says. Nil means that Notify has it. Otherwise errors.Is and errors.As find
// govwifi.ErrRefused, ErrMisconfigured, ErrAmbiguous or *SlowDownError; none of
// these means that nothing reached Notify. An unknown key is both ErrMisconfigured
// and a SlowDownError: until somebody mends it, every message would be refused.
//
// Notify has no idempotency: sending a reference twice sends two messages, so after
// ErrAmbiguous wait more than 35 s, the time it may still be committing, and ask
// Sent first. The caller says which message it was.
func (c *Client) Send(ctx context.Context, m govwifi.Message) error {
	id, err := c.templates.find(ctx, m.Template, "")
	if err != nil {
		return err
	}
	err = c.post(ctx, m, id)
	if !isOurBadRequest(err) {
		return err
	}
	// The template may have been deleted and made again under another id. Asking
	// for the ids, rather than reading the message, does not depend on its wording.
	fresh, lookupErr := c.templates.find(ctx, m.Template, id)
	if errors.Is(lookupErr, govwifi.ErrMisconfigured) {
		return lookupErr
	}
	if lookupErr != nil || fresh == id {
		return err
	}
	return c.post(ctx, m, fresh)
}

func (c *Client) post(ctx context.Context, m govwifi.Message, templateID string) error {
	request := sendRequest{TemplateID: templateID, Personalisation: m.Personalisation, Reference: m.Reference}
	endpoint := endpointSMS
	if m.Template.IsEmail() {
		endpoint = endpointEmail
		request.EmailAddress = string(m.To)
		request.EmailReplyToID = c.replyTo[m.ReplyTo]
	} else {
		request.PhoneNumber = string(m.To)
	}
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("encode the request: %w", err)
	}
	answer, err := c.do(ctx, call{
		endpoint: endpoint, method: http.MethodPost, path: "/v2/notifications/" + endpoint, body: body, limit: postLimit,
	})
	if err != nil {
		return err
	}
	// The status alone decides: a 201 whose body is odd, or was cut, was accepted
	// all the same. The body holds the person's password and is not looked at.
	if answer.status == http.StatusCreated {
		return nil
	}
	return c.sendError(answer, m)
}
