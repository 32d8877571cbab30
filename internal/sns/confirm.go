package sns

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
)

// subscribeURL is SNS's own address with any query, by the rules of certificateURL.
var subscribeURL = regexp.MustCompile(`^https://` + host + `/(\?[A-Za-z0-9._~:/?@!$&'()*+,;=%-]*)?$`)

// Confirm confirms a subscription by fetching its SubscribeURL. Call it after
// Verify; with verification off the rule for the URL still stops a stranger from
// sending us anywhere but to SNS. It returns ErrForbidden if the envelope asks for
// no subscription or the URL is not SNS's, with nothing fetched, and ErrUnavailable
// if SNS did not answer 200 before ctx ended. Confirming twice does no harm.
func (v *Verifier) Confirm(ctx context.Context, e Envelope) error {
	if e.Type != SubscriptionConfirmation {
		return forbidden("it asks for no subscription")
	}
	if !subscribeURL.MatchString(e.SubscribeURL) {
		return forbidden("its SubscribeURL is missing or not one of SNS")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.SubscribeURL, nil)
	if err != nil {
		return forbidden("its SubscribeURL is no URL")
	}
	response, err := v.client.Do(request)
	if err != nil {
		return fmt.Errorf("%w: confirm subscription: %w", ErrUnavailable, withoutURL(err))
	}
	// The body is not read, however long: the status says all.
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: confirm subscription: status %d", ErrUnavailable, response.StatusCode)
	}
	return nil
}
