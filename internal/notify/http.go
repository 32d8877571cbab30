package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// How much of an answer is read. A page of 250 credential emails is 1.5 MB.
const (
	postLimit = 1 << 20
	listLimit = 4 << 20
)

// userAgent is what Notify's logs call us.
const userAgent = "GOVWIFI-USER-SIGNUP/1.0"

// NewTransport is net/http's transport with a pool for the busiest worker: with the
// default of two idle connections, 128 jobs at once would connect for each message.
// Over HTTP/2 all share one connection, so a dead one is found by pings and not by
// every job's time-out.
func NewTransport() *http.Transport {
	const connectTimeout = 5 * time.Second
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: connectTimeout, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout: connectTimeout,
		ForceAttemptHTTP2:   true,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second},
		MaxIdleConns:        256,
		MaxIdleConnsPerHost: 256,
		IdleConnTimeout:     90 * time.Second,
	}
}

// call is one request to be made.
type call struct {
	endpoint string
	method   string
	path     string
	query    url.Values
	body     []byte
	// limit is how many bytes of the answer are read.
	limit int64
}

// answer is what came back. Body is cut at the call's limit; bodyErr says that it
// is not whole, which matters only to those who read it.
type answer struct {
	status  int
	body    []byte
	bodyErr error
}

// do makes a request. Its error means that there was no answer: ErrAmbiguous for
// a POST that had a connection, since it may have been carried out.
func (c *Client) do(ctx context.Context, call call) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	request, err := c.request(ctx, call)
	if err != nil {
		return answer{}, err
	}
	start := time.Now()
	response, err := c.http.Do(request)
	if err != nil {
		c.observe(call.endpoint, 0, time.Since(start))
		return answer{}, noAnswer(err, call.method == http.MethodPost && connected.Load())
	}
	defer response.Body.Close()
	got := answer{status: response.StatusCode}
	got.body, got.bodyErr = readUpTo(response.Body, call.limit)
	c.observe(call.endpoint, got.status, time.Since(start))
	return got, nil
}

func (c *Client) request(ctx context.Context, call call) (*http.Request, error) {
	target := c.baseURL + call.path
	if len(call.query) > 0 {
		target += "?" + call.query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, call.method, target, bytes.NewReader(call.body))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", withoutURL(err))
	}
	token, err := c.key.token(c.now())
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("User-Agent", userAgent)
	if call.body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

// noAnswer describes a request that nobody answered. Where no connection was had,
// nothing can have reached Notify; anything later may have, since what the kernel
// took may have arrived.
func noAnswer(err error, mayHaveArrived bool) error {
	if mayHaveArrived {
		return fmt.Errorf("%w: no answer from GOV.UK Notify: %w", govwifi.ErrAmbiguous, withoutURL(err))
	}
	return fmt.Errorf("reach GOV.UK Notify: %w", withoutURL(err))
}

// withoutURL drops net/url's wrapping, which repeats the query.
func withoutURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

func readUpTo(r io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return body, fmt.Errorf("read the answer: %w", err)
	}
	if int64(len(body)) > limit {
		return body[:limit], fmt.Errorf("the answer is over %d bytes", limit)
	}
	return body, nil
}

// get reads a list into value. Reading has no effect, so its errors are never
// ErrAmbiguous.
func (c *Client) get(ctx context.Context, call call, value any) error {
	call.method, call.limit = http.MethodGet, listLimit
	answer, err := c.do(ctx, call)
	if err != nil {
		return err
	}
	if answer.status != http.StatusOK {
		return c.readError(answer)
	}
	if answer.bodyErr != nil {
		return answer.bodyErr
	}
	// What the decoder says may quote the answer, so it is not passed on.
	if json.Unmarshal(answer.body, value) != nil {
		return errors.New("the answer of GOV.UK Notify is not the JSON it should be")
	}
	return nil
}
