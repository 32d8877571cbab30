package s3

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	// connectTimeout is for TCP, and again for TLS.
	connectTimeout = 5 * time.Second
	// silence is how long a connection may deliver nothing, before an answer or in
	// the midst of one. A limit on the whole would have to be long enough for 40 MB,
	// and so would notice a dead connection minutes too late.
	silence = 20 * time.Second
	// idleTimeout is below silence, which counts on idle connections too: a request
	// must not start on a connection about to be given up.
	idleTimeout = 15 * time.Second
	// maxAttempts is for what a second attempt cures, a cut connection or a 503. The
	// queue retries everything else, and with growing waits.
	maxAttempts = 3
	maxBackoff  = 300 * time.Millisecond
	// maxXML is how long an answer may be that is no object. A page of 1,000 keys of
	// S3's 1,024 bytes, every one of them escaped, is 6 MB; the SDK reads it into memory.
	maxXML = 8 << 20
)

// newHTTPClient is the SDK's own kind of client, which AWS_CA_BUNDLE needs.
func newHTTPClient() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = connectTimeout }).
		WithTransportOptions(func(t *http.Transport) {
			t.TLSHandshakeTimeout = connectTimeout
			t.IdleConnTimeout = idleTimeout
		}).
		WithReadTimeout(silence)
}

func newRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = maxAttempts
		o.MaxBackoff = maxBackoff
	})
}

// limitedClient cuts off answers that are longer than any S3 gives, lists and errors.
// Objects are limited by those who read them.
type limitedClient struct{ awss3.HTTPClient }

// Do makes the request.
func (c limitedClient) Do(request *http.Request) (*http.Response, error) {
	response, err := c.HTTPClient.Do(request)
	if err != nil {
		return nil, err
	}
	isObject := response.StatusCode == http.StatusOK && !request.URL.Query().Has("list-type")
	if !isObject {
		response.Body = http.MaxBytesReader(nil, response.Body, maxXML)
	}
	return response, nil
}

// advisedCredentials says what to do where there are no credentials to sign with; the
// SDK's own words end in a failed search for an EC2 instance.
type advisedCredentials struct{ aws.CredentialsProvider }

// Retrieve returns the credentials to sign with.
func (a advisedCredentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	found, err := a.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return found, fmt.Errorf("find AWS credentials (give the task a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY): %w", err)
	}
	return found, nil
}
