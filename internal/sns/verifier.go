package sns

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	// maxAge is how old a message may be. SNS gives up on an HTTP endpoint within
	// the hour; a day leaves room for a Lambda in between.
	maxAge = 24 * time.Hour
	// maxSkew is how far a clock may be wrong before a message is from the future.
	maxSkew = 15 * time.Minute
	// requestTimeout bounds each request to AWS, body included. It exceeds what a
	// webhook may wait, because a certificate fetched late serves the next message.
	requestTimeout = 5 * time.Second
)

// VerifierConfig says whom to believe.
type VerifierConfig struct {
	// Topics are the ARNs that messages may come from. A signature alone proves
	// only that they come from some topic of some customer. None: no message.
	Topics []string
	// PinnedCertificate, if set, is the one that every signature must fit; its
	// issuer does not matter and nothing is fetched. For local stacks.
	PinnedCertificate *x509.Certificate
	// Roots are the authorities that may issue a signing certificate; nil means
	// the system's. They do not decide about the TLS connection.
	Roots *x509.CertPool
	// Transport carries the requests to AWS; nil means http.DefaultTransport,
	// which honours HTTPS_PROXY.
	Transport http.RoundTripper
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Verifier verifies envelopes and confirms subscriptions. Safe for concurrent use.
type Verifier struct {
	topics       []string
	pinned       *x509.Certificate
	certificates *certificates
	client       *http.Client
	now          func() time.Time
}

// NewVerifier makes a Verifier; it asks nobody yet.
func NewVerifier(c VerifierConfig) *Verifier {
	if c.Now == nil {
		c.Now = time.Now
	}
	client := &http.Client{
		Transport: c.Transport,
		Timeout:   requestTimeout,
		// A redirect could lead to a host that the URL rules would refuse.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Verifier{
		topics:       c.Topics,
		pinned:       c.PinnedCertificate,
		certificates: &certificates{client: client, roots: c.Roots, now: c.Now, entries: map[string]*entry{}},
		client:       client,
		now:          c.Now,
	}
}

// Verify returns nil if SNS signed the envelope, for one of our topics, within the
// last 24 hours; then every field that the signature covers can be believed. It
// returns ErrForbidden if not, and ErrUnavailable if the certificate could not be
// fetched before ctx ended: fetching goes on, and the next delivery finds it.
//
// What is cheap to refuse is refused first, so that a stranger who does not know
// our topics cannot make us fetch anything.
func (v *Verifier) Verify(ctx context.Context, e Envelope) error {
	if err := v.acceptable(e); err != nil {
		return err
	}
	hash, sum, ok := e.digest()
	if !ok {
		return forbidden("its SignatureVersion is unknown")
	}
	// Strict, and without the line breaks that Go skips: one signature, one text.
	signature, err := base64.StdEncoding.Strict().DecodeString(e.Signature)
	if err != nil || strings.ContainsAny(e.Signature, "\r\n") {
		return forbidden("its Signature is not base64")
	}
	certificate, err := v.certificate(ctx, e)
	if err != nil {
		return err
	}
	key, ok := certificate.PublicKey.(*rsa.PublicKey)
	if !ok {
		return forbidden("the key of its certificate is not RSA")
	}
	if rsa.VerifyPKCS1v15(key, hash, sum, signature) != nil {
		return forbidden("its Signature does not fit")
	}
	return nil
}

// acceptable checks what needs no key.
func (v *Verifier) acceptable(e Envelope) error {
	for _, field := range e.signedFields() {
		// Only Message may have several lines. Otherwise the text signed could be
		// cut into fields in another way, and still fit the signature.
		if field.key != "Message" && strings.Contains(field.value, "\n") {
			return forbidden(field.key + " has several lines")
		}
		if field.value == "" && field.key != "Message" && field.key != "Subject" {
			return forbidden(field.key + " is missing")
		}
	}
	if !slices.Contains(v.topics, e.TopicARN) {
		return forbidden("its topic is not one of ours")
	}
	published, err := time.Parse(time.RFC3339, e.Timestamp)
	if err != nil {
		return forbidden("its Timestamp is not one")
	}
	switch age := v.now().Sub(published); {
	case age > maxAge:
		return forbidden("it is older than 24 hours")
	case age < -maxSkew:
		return forbidden("it is from the future")
	}
	return nil
}

// certificate gives the certificate whose key must have signed the envelope.
func (v *Verifier) certificate(ctx context.Context, e Envelope) (*x509.Certificate, error) {
	if v.pinned == nil {
		return v.certificates.get(ctx, e.SigningCertURL)
	}
	if now := v.now(); now.Before(v.pinned.NotBefore) || now.After(v.pinned.NotAfter) {
		return nil, forbidden("the pinned certificate has expired or is not valid yet")
	}
	return v.pinned, nil
}

func forbidden(reason string) error { return fmt.Errorf("%w: %s", ErrForbidden, reason) }
