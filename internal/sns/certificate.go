package sns

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"sync"
	"time"
)

const (
	// maxCertificate is in bytes; the certificates that SNS serves have 2 to 3 KB.
	maxCertificate = 64 << 10
	// maxEntries bounds the URLs remembered. SNS has one per region and year.
	maxEntries = 32
	// maxFetches bounds the fetches under way, against made-up URLs.
	maxFetches = 8
	// failureMemory is how long a failed fetch answers for its URL: long enough
	// that a flood of messages is no flood of fetches, shorter than SNS's retries.
	failureMemory = 3 * time.Second
)

// The rules match whole texts instead of a URL's parsed parts: what is not plainly
// there (user-info, port, query, fragment, escapes, upper case, other alphabets,
// a dot at the end) is refused without having been thought of. Upper case would
// name the same host, but AWS never writes it.
//
// A region has its full shape, although AWS's own validators take any three
// characters: sns.s3-eu-west-1.amazonaws.com would be somebody's bucket.
const (
	region = `[a-z]+(-[a-z]+)+-[0-9]+`
	host   = `sns\.` + region + `\.amazonaws\.com(\.cn)?`
)

var (
	certificateURL = regexp.MustCompile(`^https://` + host + `/[A-Za-z0-9._/-]{1,200}\.pem$`)
	// signerName is what a signing certificate may be issued for: most regions
	// share sns.amazonaws.com, newer ones have sns-signing.<region>, China and
	// GovCloud sns-<region>.
	signerName = regexp.MustCompile(`^sns((-signing)?[.-]` + region + `)?\.amazonaws\.com(\.cn)?$`)
)

// certificates fetches signing certificates, once each, and keeps those it trusts.
type certificates struct {
	client *http.Client
	roots  *x509.CertPool
	now    func() time.Time

	mu       sync.Mutex
	entries  map[string]*entry
	fetching int
}

// entry is a fetch and its outcome.
type entry struct {
	// done is closed once the outcome is there; the fields below are read only then.
	done        chan struct{}
	certificate *x509.Certificate
	err         error
	// until is when the outcome must be had anew: the end of the certificate's
	// chain, or of failureMemory.
	until time.Time
}

func (e *entry) settled() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

// get gives the trusted certificate at the URL, from memory if it can. However
// many ask, one fetch is under way for a URL; it outlives them, so that a slow one
// is not begun again by each. It returns ErrForbidden or ErrUnavailable.
func (c *certificates) get(ctx context.Context, location string) (*x509.Certificate, error) {
	if !certificateURL.MatchString(location) {
		return nil, forbidden("its certificate URL is missing or not one of SNS")
	}
	c.mu.Lock()
	e := c.entries[location]
	if e == nil || e.settled() && !c.now().Before(e.until) {
		if c.fetching >= maxFetches {
			c.mu.Unlock()
			return nil, fmt.Errorf("%w: too many certificates are being fetched", ErrUnavailable)
		}
		e = c.begin(location)
	}
	c.mu.Unlock()

	select {
	case <-e.done:
		return e.certificate, e.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: wait for the signing certificate: %w", ErrUnavailable, ctx.Err())
	}
}

// begin starts a fetch and remembers it. The caller holds the lock.
func (c *certificates) begin(location string) *entry {
	delete(c.entries, location)
	c.makeRoom()
	e := &entry{done: make(chan struct{})}
	c.entries[location] = e
	c.fetching++
	go func() {
		certificate, until, err := c.fetch(location)
		if err != nil {
			until = c.now().Add(failureMemory)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		e.certificate, e.until, e.err = certificate, until, err
		c.fetching--
		close(e.done)
	}()
	return e
}

// makeRoom forgets failures before certificates, so that made-up URLs do not push
// out the certificate in use. There is always something settled to forget, as
// maxFetches is below maxEntries. The caller holds the lock.
func (c *certificates) makeRoom() {
	if len(c.entries) < maxEntries {
		return
	}
	var victim string
	for location, e := range c.entries {
		if !e.settled() {
			continue
		}
		victim = location
		if e.err != nil {
			break
		}
	}
	delete(c.entries, victim)
}

// fetch gets the certificate, and the moment until which it can be trusted.
func (c *certificates) fetch(location string) (*x509.Certificate, time.Time, error) {
	text, err := c.download(location)
	if err != nil {
		return nil, time.Time{}, err
	}
	leaf, intermediates, err := ParseCertificate(text)
	if err != nil {
		return nil, time.Time{}, forbidden("what is at its certificate URL is no certificate")
	}
	until, err := c.trust(leaf, intermediates)
	if err != nil {
		return nil, time.Time{}, err
	}
	return leaf, until, nil
}

// download fails with ErrUnavailable where trying again may help. A redirect or a
// 404 is ErrForbidden: SNS signs with certificates that are there.
func (c *certificates) download(location string) ([]byte, error) {
	response, err := c.client.Get(location)
	if err != nil {
		return nil, fmt.Errorf("%w: fetch signing certificate: %w", ErrUnavailable, withoutURL(err))
	}
	defer response.Body.Close()
	switch status := response.StatusCode; {
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		return nil, fmt.Errorf("%w: fetch signing certificate: status %d", ErrUnavailable, status)
	case status != http.StatusOK:
		return nil, forbidden("there is no certificate at its certificate URL")
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxCertificate+1))
	if err != nil {
		return nil, fmt.Errorf("%w: fetch signing certificate: %w", ErrUnavailable, withoutURL(err))
	}
	if len(text) > maxCertificate {
		return nil, forbidden("what is at its certificate URL is too long for a certificate")
	}
	return text, nil
}

// trust checks the chain, its dates and the name. The name is checked although the
// URL named the host: a file served there need not be AWS's own. It may be the
// subject's, as AWS's SDKs check it, or an alternative one.
func (c *certificates) trust(leaf *x509.Certificate, intermediates *x509.CertPool) (time.Time, error) {
	if !slices.ContainsFunc(append(leaf.DNSNames, leaf.Subject.CommonName), signerName.MatchString) {
		return time.Time{}, forbidden("its certificate is not one of SNS")
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots:         c.roots,
		Intermediates: intermediates,
		CurrentTime:   c.now(),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: its certificate cannot be trusted: %w", ErrForbidden, err)
	}
	var until time.Time
	for _, chain := range chains {
		first := slices.MinFunc(chain, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
		if first.NotAfter.After(until) {
			until = first.NotAfter
		}
	}
	return until, nil
}

// ParseCertificate reads the certificates of a PEM file. The first is the one that
// signs; the others may link it to an authority.
func ParseCertificate(text []byte) (*x509.Certificate, *x509.CertPool, error) {
	var leaf *x509.Certificate
	intermediates := x509.NewCertPool()
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		switch {
		case err != nil:
			return nil, nil, fmt.Errorf("parse certificate: %w", err)
		case leaf == nil:
			leaf = certificate
		default:
			intermediates.AddCert(certificate)
		}
	}
	if leaf == nil {
		return nil, nil, errors.New("parse certificate: no PEM block of that type")
	}
	return leaf, intermediates, nil
}

// withoutURL drops the URL from an HTTP client's error: a stranger chose it, and a
// SubscribeURL holds a token.
func withoutURL(err error) error {
	if wrapped := new(url.Error); errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
