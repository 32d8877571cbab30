package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/telemetry"
)

// outcomeKey is where a handler leaves the outcome label of its request.
const outcomeKey = "outcome"

// routeLabels name the routes in metrics; others are counted nowhere, since anyone
// can make up paths.
var routeLabels = map[string]string{
	"/user-signup/email-notification":      "email",
	"/user-signup/sms-notification/notify": "sms",
	"/user-signup/delivery-receipt/notify": "delivery-receipt",
}

// outcomes are what may become of a webhook, as refusals and done name it in metrics.
var outcomes = []string{"accepted", "ignored", "bad_request", "unauthorized", "forbidden", "too_large", "unavailable"}

// observe gives each request its trace, writes its one log line and counts webhooks.
// It also catches panics, so that a sender is asked to try again.
func (d *Door) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		started := time.Now()
		ctx := job.WithTrace(c.Request().Context(), traceOf(c.Request().Header, started))
		c.SetRequest(c.Request().WithContext(ctx))
		defer func() {
			if p := recover(); p != nil {
				d.Log.ErrorContext(ctx, "a webhook's handler panicked", "panic", p, "stack", string(debug.Stack()))
				c.Error(unavailable("something went wrong, please try again"))
			}
			took := time.Since(started)
			if label, ok := routeLabels[c.Path()]; ok {
				outcome, _ := c.Get(outcomeKey).(string)
				d.Webhooks.Observe(label, outcome, took)
			}
			d.Log.InfoContext(ctx, telemetry.RequestMessage,
				"method", c.Request().Method, "path", pathWord(c.Request().URL),
				"status", c.Response().Status, "duration", fmt.Sprintf("%.4f", took.Seconds()))
		}()
		if err := next(c); err != nil {
			c.Error(err)
		}
		return nil
	}
}

// pathWord is the path as one word of a log line. Escaped, so that no visitor of
// /user-signup/…%20status=200 writes the words that CloudWatch counts.
func pathWord(u *url.URL) string { return strings.ReplaceAll(u.EscapedPath(), "=", "%3D") }

// inPlaces refuses requests beyond the number of places instead of holding them.
// The health check has a place of its own: an overloaded door is still a door.
func inPlaces(places chan struct{}) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if c.Path() == "/healthcheck" {
				return next(c)
			}
			select {
			case places <- struct{}{}:
				defer func() { <-places }()
				return next(c)
			default:
				return unavailable("too many requests at once, please try again")
			}
		}
	}
}

// within cuts off clients whose body trickles, also where no handler reads it: net/http
// itself waits for the rest of a refused body, without end.
func within(wait time.Duration) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if err := http.NewResponseController(c.Response()).SetReadDeadline(time.Now().Add(wait)); err != nil {
				return fmt.Errorf("set the read deadline: %w", err)
			}
			return next(c)
		}
	}
}

// hurry gives a request that has arrived whole the time in which it must be answered,
// however many others are asked: the certificate of a message may take as long as Redis.
func hurry(c echo.Context) (done context.CancelFunc) {
	ctx, done := context.WithTimeout(c.Request().Context(), answerTime)
	c.SetRequest(c.Request().WithContext(ctx))
	return done
}

// body reads a request whole, whatever its content type: SNS says text/plain.
func body(c echo.Context) ([]byte, error) {
	text, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &refusal{http.StatusRequestEntityTooLarge, "too_large", "the body is over 512 KiB"}
	case err != nil:
		// Neither 400 nor 408: SNS and GOV.UK Notify drop what a 4xx refuses, and the
		// next try of a body that was cut off may arrive.
		return nil, unavailable("the body did not arrive in full, please try again")
	}
	return text, nil
}
