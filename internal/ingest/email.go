package ingest

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/sns"
)

// email takes an SNS message, from SNS itself or through GovWifi's Lambda, which
// copies the header and respells some fields.
func (d *Door) email(c echo.Context) error {
	kind := c.Request().Header.Get("x-amz-sns-message-type")
	switch kind {
	case sns.Notification, sns.SubscriptionConfirmation, sns.UnsubscribeConfirmation:
	default:
		return badRequest("the header x-amz-sns-message-type is missing or unknown")
	}
	text, err := body(c)
	if err != nil {
		return err
	}
	defer hurry(c)()
	envelope, err := sns.Parse(text)
	if err != nil {
		return badRequest(err.Error())
	}
	if envelope.Type != kind {
		return badRequest("the header x-amz-sns-message-type is not the Type of the message")
	}
	if err := d.verify(c, envelope); err != nil {
		return err
	}
	switch kind {
	case sns.SubscriptionConfirmation:
		return d.confirm(c, envelope)
	case sns.UnsubscribeConfirmation:
		d.Log.WarnContext(c.Request().Context(), "SNS ended a subscription; mail events stop unless someone meant it", "topic", envelope.TopicARN)
		return d.done(c, "ignored")
	}
	return d.receipt(c, envelope)
}

func (d *Door) verify(c echo.Context, envelope sns.Envelope) error {
	if d.Verifier == nil {
		return nil
	}
	return d.judged(c, d.Verifier.Verify(c.Request().Context(), envelope))
}

func (d *Door) confirm(c echo.Context, envelope sns.Envelope) error {
	ctx := c.Request().Context()
	if err := d.judged(c, d.Confirmer.Confirm(ctx, envelope)); err != nil {
		return err
	}
	d.Log.InfoContext(ctx, "an SNS subscription is confirmed", "topic", envelope.TopicARN)
	return d.done(c, "accepted")
}

// judged turns what the sns package says into an answer: 403 where the message is
// at fault, 503 where trying again may help.
func (d *Door) judged(c echo.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sns.ErrUnavailable):
		d.Log.ErrorContext(c.Request().Context(), "an SNS message could not be judged and its sender is asked to try again", "err", err)
		return unavailable("the message could not be verified just now, please try again")
	}
	d.Log.WarnContext(c.Request().Context(), "an SNS message is refused", "reason", err)
	return &refusal{http.StatusForbidden, "forbidden", err.Error()}
}

// receipt turns SES's notice of a mail into the job for the address it went to.
func (d *Door) receipt(c echo.Context, envelope sns.Envelope) error {
	mail, err := envelope.Receipt()
	if err != nil {
		return badRequest(err.Error())
	}
	if mail.Setup {
		return d.ignore(c, "SES announces a new receipt rule")
	}
	if _, err := govwifi.ParseEmail(mail.From); err != nil {
		return badRequest("the From header " + err.Error())
	}
	signup := job.SignupEmail{
		MessageID: job.EventKey(mail.MessageID), From: mail.From, MailFrom: mail.MailFrom,
		Verdicts: govwifi.Verdicts(mail.Verdicts), ReceivedAt: d.Now().UTC(),
	}
	return d.accept(c, job.AnswerToMail(signup, mail.Sponsor(), mail.Bucket, mail.Key))
}
