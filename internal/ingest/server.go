package ingest

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/sns"
	"github.com/govwifi/user-signup/internal/telemetry"
)

const (
	// answerTime bounds the part of a request that asks others, all of them together.
	// GovWifi's Lambda waits about 3 s, so every answer leaves within 2.
	answerTime = 1500 * time.Millisecond
	// headerTime and bodyTime stop clients that trickle.
	headerTime = 10 * time.Second
	bodyTime   = 30 * time.Second
	// maxBody is twice the largest SNS message.
	maxBody = 512 << 10
	// maxInFlight bounds memory: beyond it the sender is asked to come back.
	// At maxBody each, the requests being read hold 64 MiB.
	maxInFlight = 128
	// retryAfter is what a 503 asks for, in seconds.
	retryAfter = "20"
)

// Door judges webhooks. Its fields are set once, before Handler is called.
type Door struct {
	// Queue takes the jobs.
	Queue interface {
		Enqueue(ctx context.Context, j job.Job) error
		Ready(ctx context.Context) error
	}
	// Verifier judges SNS messages; nil while verification is off.
	Verifier SNSVerifier
	// Confirmer visits an SNS message's SubscribeURL.
	Confirmer SNSConfirmer
	// Tokens are the bearer tokens that GOV.UK Notify may show.
	Tokens   Tokens
	Webhooks telemetry.Webhooks
	Log      *slog.Logger
	Now      func() time.Time

	// bodyTime is 0 for the constant; tests are less patient.
	bodyTime time.Duration
}

// SNSVerifier says whether a message comes from one of our topics:
// sns.ErrForbidden or sns.ErrUnavailable otherwise.
type SNSVerifier interface {
	Verify(ctx context.Context, e sns.Envelope) error
}

// SNSConfirmer confirms a subscription, with the same errors.
type SNSConfirmer interface {
	Confirm(ctx context.Context, e sns.Envelope) error
}

// Server makes the HTTP server with the routes of docs/contract.md, section 1 and Additions.
func (d *Door) Server() *http.Server {
	e := echo.New()
	e.HTTPErrorHandler = d.answerError
	places := make(chan struct{}, maxInFlight)
	e.Use(d.observe, inPlaces(places), within(cmp.Or(d.bodyTime, bodyTime)))
	e.GET("/healthcheck", d.health)
	e.POST("/user-signup/email-notification", d.email)
	e.POST("/user-signup/sms-notification/notify", d.fromNotify(d.sms))
	e.POST("/user-signup/delivery-receipt/notify", d.fromNotify(d.delivery))
	return &http.Server{Handler: e, ReadHeaderTimeout: headerTime, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(d.Log.Handler(), slog.LevelDebug)}
}

// health says whether Redis can take a job, and asks nobody else: a load balancer
// must not empty its target group because GOV.UK Notify is away.
func (d *Door) health(c echo.Context) error {
	defer hurry(c)()
	if err := d.Queue.Ready(c.Request().Context()); err != nil {
		return c.String(http.StatusServiceUnavailable, "Redis cannot take jobs: "+err.Error())
	}
	return c.String(http.StatusOK, "Healthy")
}

// refusal is an answer other than 200, with the sentence that the sender reads.
type refusal struct {
	status  int
	outcome string
	reason  string
}

func (r *refusal) Error() string { return r.reason }

func badRequest(reason string) error {
	return &refusal{http.StatusBadRequest, "bad_request", reason}
}

func unavailable(reason string) error {
	return &refusal{http.StatusServiceUnavailable, "unavailable", reason}
}

// accept enqueues the job and answers 200, but never before Redis has it.
func (d *Door) accept(c echo.Context, j job.Job) error {
	ctx := c.Request().Context()
	if err := d.Queue.Enqueue(ctx, j); err != nil {
		d.Log.ErrorContext(ctx, "a webhook was not queued and its sender is asked to try again",
			"job", j.Spec().Name, telemetry.KeyAttr, j.Key(), "err", err)
		return unavailable("the request could not be queued, please try again")
	}
	// Whom it is about, masked, is how an operator finds the key of somebody's event.
	d.Log.InfoContext(ctx, "queued", "job", j.Spec().Name, telemetry.KeyAttr, j.Key(), "about", j.Label())
	return d.done(c, "accepted")
}

// ignore answers 200 to an event that needs nothing: any other answer would only
// bring it back.
func (d *Door) ignore(c echo.Context, why string) error {
	d.Log.InfoContext(c.Request().Context(), "an event needs nothing", "reason", why)
	return d.done(c, "ignored")
}

func (d *Door) done(c echo.Context, outcome string) error {
	c.Set(outcomeKey, outcome)
	return c.NoContent(http.StatusOK)
}

// answerError turns an error into the answer. Errors that nobody here made are
// echo's, about routes and methods.
func (d *Door) answerError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	var r *refusal
	var h *echo.HTTPError
	switch {
	case errors.As(err, &r):
	case errors.As(err, &h):
		r = &refusal{h.Code, "bad_request", http.StatusText(h.Code)}
	default:
		d.Log.ErrorContext(c.Request().Context(), "a webhook broke its handler and its sender is asked to try again", "err", err)
		r = &refusal{http.StatusServiceUnavailable, "unavailable", "something went wrong, please try again"}
	}
	if r.status == http.StatusServiceUnavailable {
		c.Response().Header().Set("Retry-After", retryAfter)
	}
	c.Set(outcomeKey, r.outcome)
	_ = c.JSON(r.status, map[string]string{"error": r.reason}) // the sender may be gone
}
