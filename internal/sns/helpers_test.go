package sns

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	topic      = "arn:aws:sns:eu-west-1:123456789012:wifi-user-signup-notifications"
	otherTopic = "arn:aws:sns:eu-west-1:123456789012:wifi-email-notifications"
	snsHost    = "sns.eu-west-1.amazonaws.com"
	certURL    = "https://" + snsHost + "/SimpleNotificationService-60eadc530605d63b8e62a523676ef735.pem"
)

// moment is when the tests take place, a few minutes after the fixtures were sent.
var moment = time.Date(2024, 5, 2, 1, 0, 0, 0, time.UTC)

func rsaKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

// signingKey is SNS's; strangerKey is not.
var (
	signingKey  = sync.OnceValue(rsaKey)
	strangerKey = sync.OnceValue(rsaKey)
)

// authority issues certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := authority{key: key, certificate: &x509.Certificate{
		Subject: pkix.Name{CommonName: "Test Authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}}
	a.certificate = a.issue(t, key.Public(), *a.certificate)
	return a
}

// issue fills in serial number and dates (a year around moment) where they are missing.
func (a authority) issue(t testing.TB, key crypto.PublicKey, template x509.Certificate) *x509.Certificate {
	t.Helper()
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = moment.AddDate(0, -6, 0), moment.AddDate(0, 6, 0)
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, a.certificate, key, a.key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func (a authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// signing is an ordinary signing certificate.
func (a authority) signing(t testing.TB) *x509.Certificate {
	return a.issue(t, signingKey().Public(), x509.Certificate{DNSNames: []string{"sns.amazonaws.com"}})
}

func pemOf(certificates ...*x509.Certificate) string {
	var text strings.Builder
	for _, c := range certificates {
		_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	return text.String()
}

// aws stands in for every host there is: whatever name is asked for, it answers,
// under a certificate for SNS's names.
type aws struct {
	authority authority
	transport *http.Transport
	// answer replies to the next requests; swap it with Store.
	answer atomic.Pointer[http.HandlerFunc]
	// dials and requests count what reached us.
	dials, requests atomic.Int64
	mu              sync.Mutex
	last            *http.Request
	clock           atomic.Pointer[time.Time]
}

func newAWS(t testing.TB) *aws {
	t.Helper()
	a := &aws{authority: newAuthority(t)}
	a.setTime(moment)
	signing := pemOf(a.authority.signing(t))
	a.respond(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(signing)) })

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certificate := a.authority.issue(t, key.Public(), x509.Certificate{
		DNSNames: []string{snsHost, "sns.cn-north-1.amazonaws.com.cn", "sns.us-gov-west-1.amazonaws.com"}})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.requests.Add(1)
		a.mu.Lock()
		a.last = r
		a.mu.Unlock()
		(*a.answer.Load())(w, r)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate.Raw}, PrivateKey: key}}}
	server.StartTLS()
	a.transport = &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: a.authority.pool(), Time: func() time.Time { return moment }},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			a.dials.Add(1)
			return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
		},
	}
	t.Cleanup(func() { a.transport.CloseIdleConnections(); server.Close() })
	return a
}

func (a *aws) respond(h http.HandlerFunc) { a.answer.Store(&h) }

// serve answers every request with the status and body.
func (a *aws) serve(status int, body string) {
	a.respond(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

func (a *aws) setTime(now time.Time) { a.clock.Store(&now) }
func (a *aws) now() time.Time        { return *a.clock.Load() }

func (a *aws) verifier() *Verifier {
	return NewVerifier(VerifierConfig{
		Topics:    []string{otherTopic, topic},
		Roots:     a.authority.pool(),
		Transport: a.transport,
		Now:       a.now,
	})
}

// pinnedVerifier fetches nothing.
func pinnedVerifier(t testing.TB) *Verifier {
	t.Helper()
	return NewVerifier(VerifierConfig{
		Topics:            []string{topic, otherTopic},
		PinnedCertificate: newAuthority(t).signing(t),
		Transport:         noTransport{},
		Now:               func() time.Time { return moment },
	})
}

type noTransport struct{}

func (noTransport) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("the test fetches nothing")
}

// released is closed when the test ends: a handler that waits for it stays silent
// until then. One that waited for its client to go would answer a closing
// connection, which the client sometimes still reads.
func released(t testing.TB) <-chan struct{} {
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	return release
}

func fixture(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func parsed(t testing.TB, name string) Envelope {
	t.Helper()
	e, err := Parse([]byte(fixture(t, name)))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// signed is a fixture after an edit, with a signature that fits.
func signed(t testing.TB, name string, edits ...func(*Envelope)) Envelope {
	t.Helper()
	e := parsed(t, name)
	for _, edit := range edits {
		edit(&e)
	}
	e, err := Sign(e, signingKey())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// refused checks an error: which sentinel, and the reason, lest a test pass for
// another one.
func refused(t testing.TB, err, sentinel error, reason string) {
	t.Helper()
	if !errors.Is(err, sentinel) || !strings.Contains(err.Error(), reason) {
		t.Errorf("got %v; want %q because of %q", err, sentinel, reason)
	}
}
