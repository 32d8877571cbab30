package sns

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// notASNSHost are URLs that a certificate must not come from; with another path,
// they are no SubscribeURLs either. %s is the path.
var notASNSHost = []string{
	"",
	"%s",
	"//" + snsHost + "%s",
	"http://" + snsHost + "%s",
	"HTTPS://" + snsHost + "%s",
	"ftp://" + snsHost + "%s",
	"file:///etc/ssl/cert.pem?%s",
	" https://" + snsHost + "%s",
	"https:/" + snsHost + "%s",
	"https:" + snsHost + "%s",
	"https://" + snsHost + ".evil.test%s",
	"https://" + snsHost + "@evil.test%s",
	"https://" + snsHost + ":443@evil.test%s",
	"https://evil.test@" + snsHost + "%s",
	"https://user:pass@" + snsHost + "%s",
	"https://@" + snsHost + "%s",
	"https://evil.test/" + snsHost + "%s",
	"https://evil.test?" + snsHost + "%s",
	"https://evil.test#" + snsHost + "%s",
	"https://evil.test\\" + snsHost + "%s",
	"https://" + snsHost + "\\evil.test%s",
	"https://" + snsHost + "\\@evil.test%s",
	"https:\\\\" + snsHost + "%s",
	"https://" + snsHost + ":443%s",
	"https://" + snsHost + ":8443%s",
	"https://" + snsHost + ":%s",
	"https://" + snsHost + ".%s",
	"https://evil." + snsHost + "%s",
	"https://evil-" + snsHost + "%s",
	"https://sns.amazonaws.com%s",
	"https://sns..amazonaws.com%s",
	"https://sns.a.amazonaws.com%s",
	"https://sns.eu-west-1.evil.amazonaws.com%s",
	"https://sns.eu-west-1xamazonaws.com%s",
	"https://snsxeu-west-1.amazonaws.com%s",
	"https://sns.eu-west-1.amazonaws.com.cn.evil.test%s",
	"https://sns.eu-west-1.amazonaws.org%s",
	"https://sns.eu-west-1.amazonaws%s",
	"https://sns.s3-eu-west-1.amazonaws.com%s",
	"https://sns.s3-website-eu-west-1.amazonaws.com%s",
	"https://sns.s3.amazonaws.com%s",
	"https://sqs.eu-west-1.amazonaws.com%s",
	"https://127.0.0.1%s",
	"https://[::1]%s",
	"https://[::ffff:169.254.169.254]%s",
	"https://169.254.169.254%s",
	"https://2852039166%s",
	"https://localhost%s",
	"https://SNS.eu-west-1.amazonaws.com%s",
	"https://sns.EU-WEST-1.amazonaws.com%s",
	"https://sns.eu-west-1.amazonaws.COM%s",
	"https://ѕns.eu-west-1.amazonaws.com%s",      // Cyrillic dze
	"https://sns.eu-west-1.аmazonaws.com%s",      // Cyrillic a
	"https://sns。eu-west-1。amazonaws。com%s",      // ideographic full stops
	"https://ſns.eu-west-1.amazonaws.com%s",      // long s
	"https://sns.eu-west-１.amazonaws.com%s",      // full-width digit
	"https://sns.eu-west\u20101.amazonaws.com%s", // Unicode hyphen
	"https://sns.eu\u200b-west-1.amazonaws.com%s",
	"https://xn--ns-yzb.eu-west-1.amazonaws.com%s",
	"https://sns%2eeu-west-1.amazonaws.com%s",
	"https://sns.eu-west-1.amazonaws.com%00%s",
	"https://sns.eu-west-1.amazonaws.com%2f@evil.test%s",
	"https://sns.eu-west-1.amazonaws.com\t%s",
	"https://sns.eu-west-1.amazonaws.com\n%s",
	"https://sns.eu-west-1.amazonaws.com\r\nHost: evil.test%s",
	"https://evil.test/\nhttps://" + snsHost + "%s",
}

func TestCertificateURLRefused(t *testing.T) {
	t.Parallel()
	cloud := newAWS(t)
	v := cloud.verifier()
	urls := []string{
		"https://" + snsHost,
		"https://" + snsHost + "/",
		"https://" + snsHost + "/.pem/",
		"https://" + snsHost + "/x.pem.exe",
		"https://" + snsHost + "/x.PEM",
		"https://" + snsHost + "/xpem",
		"https://" + snsHost + "/x.pem?y",
		"https://" + snsHost + "/?y=x.pem",
		"https://" + snsHost + "/x.pem#y",
		"https://" + snsHost + "/#x.pem",
		"https://" + snsHost + "/x.pem ",
		"https://" + snsHost + "/x.pem\n",
		"https://" + snsHost + "/x y.pem",
		"https://" + snsHost + "/x%2e.pem",
		"https://" + snsHost + "/@evil.test/x.pem",
		"https://" + snsHost + "/\\evil.test/x.pem",
		"https://" + snsHost + "/" + strings.Repeat("x", 300) + ".pem",
	}
	for _, u := range notASNSHost {
		urls = append(urls, strings.Replace(u, "%s", "/x.pem", 1))
	}
	for _, u := range urls {
		e := signed(t, "notification_http.json", func(e *Envelope) { e.SigningCertURL = u })
		err := v.Verify(t.Context(), e)
		if err == nil || !strings.Contains(err.Error(), "certificate URL is missing or not one of SNS") {
			t.Errorf("%q: %v", u, err)
		}
	}
	if n := cloud.dials.Load(); n != 0 {
		t.Errorf("%d connections, want none", n)
	}
}

func TestCertificateURLAccepted(t *testing.T) {
	t.Parallel()
	cloud := newAWS(t)
	v := cloud.verifier()
	for _, u := range []string{
		certURL,
		"https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-0.pem",
		"https://sns.us-gov-west-1.amazonaws.com/a/b_c.pem",
	} {
		e := signed(t, "notification_http.json", func(e *Envelope) { e.SigningCertURL = u })
		if err := v.Verify(t.Context(), e); err != nil {
			t.Errorf("%s: %v", u, err)
		}
	}
}

func TestCertificateTrust(t *testing.T) {
	t.Parallel()
	cloud := newAWS(t)
	ca, key := cloud.authority, signingKey().Public()
	named := x509.Certificate{DNSNames: []string{"sns.amazonaws.com"}}
	dated := func(from, to time.Duration) x509.Certificate {
		c := named
		c.NotBefore, c.NotAfter = moment.Add(from), moment.Add(to)
		return c
	}
	for name, certificate := range map[string]x509.Certificate{
		"common name":     {Subject: pkix.Name{CommonName: "sns.amazonaws.com"}},
		"newer region":    {DNSNames: []string{"sns-signing.me-south-1.amazonaws.com"}},
		"China":           {DNSNames: []string{"sns-cn-north-1.amazonaws.com.cn"}},
		"region":          {DNSNames: []string{"other.test", "sns.eu-west-1.amazonaws.com"}},
		"for a server":    {DNSNames: named.DNSNames, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}},
		"just begun":      dated(0, time.Hour),
		"not quite ended": dated(-time.Hour, time.Second),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := newAWS(t)
			cloud.serve(http.StatusOK, pemOf(cloud.authority.issue(t, key, certificate)))
			if err := cloud.verifier().Verify(t.Context(), signed(t, "notification_http.json")); err != nil {
				t.Error(err)
			}
		})
	}

	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const untrusted, name, none = "cannot be trusted", "is not one of SNS", "is no certificate"
	bare := func(dnsNames ...string) string { return pemOf(ca.issue(t, key, x509.Certificate{DNSNames: dnsNames})) }
	for _, test := range []struct{ name, body, reason string }{
		{"expired", pemOf(ca.issue(t, key, dated(-time.Hour, -time.Second))), untrusted},
		{"not valid yet", pemOf(ca.issue(t, key, dated(time.Second, time.Hour))), untrusted},
		{"unknown authority", pemOf(newAuthority(t).signing(t)), untrusted},
		{"unknown authority, in the file", func() string { a := newAuthority(t); return pemOf(a.signing(t), a.certificate) }(), untrusted},
		{"no name", bare(), name},
		{"other name", bare("evil.test"), name},
		{"name as a part", bare("sns.amazonaws.com.evil.test", "x.sns.amazonaws.com"), name},
		{"a bucket", bare("sns.s3-eu-west-1.amazonaws.com"), name},
		{"wildcard", bare("*.amazonaws.com"), name},
		{"not RSA", pemOf(ca.issue(t, ecKey.Public(), named)), "not RSA"},
		{"other key", pemOf(ca.issue(t, strangerKey().Public(), named)), "does not fit"},
		{"the signer comes first", pemOf(ca.issue(t, strangerKey().Public(), named), ca.signing(t)), "does not fit"},
		{"no PEM", "hello", none},
		{"nothing", "", none},
		{"broken PEM", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})), none},
		{"other PEM", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: ca.signing(t).Raw})), none},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			fake := newAWS(t)
			fake.serve(http.StatusOK, test.body)
			v := fake.verifier()
			v.certificates.roots = ca.pool()
			refused(t, v.Verify(t.Context(), signed(t, "notification_http.json")), ErrForbidden, test.reason)
		})
	}
}

func TestCertificateThroughIntermediate(t *testing.T) {
	t.Parallel()
	cloud := newAWS(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	short := moment.Add(time.Hour)
	middle := authority{key: key, certificate: cloud.authority.issue(t, key.Public(), x509.Certificate{
		Subject: pkix.Name{CommonName: "Test Intermediate"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: moment.Add(-time.Hour), NotAfter: short})}
	leaf := middle.signing(t)
	e := signed(t, "notification_http.json")

	cloud.serve(http.StatusOK, pemOf(leaf))
	refused(t, cloud.verifier().Verify(t.Context(), e), ErrForbidden, "cannot be trusted")
	cloud.serve(http.StatusOK, pemOf(leaf, middle.certificate))
	v := cloud.verifier()
	if err := v.Verify(t.Context(), e); err != nil {
		t.Error(err)
	}
	// The chain ends with its shortest link, not with the leaf.
	cloud.setTime(short.Add(time.Second))
	refused(t, v.Verify(t.Context(), e), ErrForbidden, "cannot be trusted")
}

// A remembered certificate is not believed beyond its end, and one renewed at the
// same URL is found.
func TestCertificateExpiresInMemory(t *testing.T) {
	t.Parallel()
	cloud := newAWS(t)
	end := moment.Add(time.Hour)
	short := x509.Certificate{DNSNames: []string{"sns.amazonaws.com"}, NotBefore: moment.Add(-time.Hour), NotAfter: end}
	cloud.serve(http.StatusOK, pemOf(cloud.authority.issue(t, signingKey().Public(), short)))
	v, e := cloud.verifier(), signed(t, "notification_http.json")

	for _, now := range []time.Time{moment, end.Add(-time.Second)} {
		cloud.setTime(now)
		if err := v.Verify(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if n := cloud.requests.Load(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
	cloud.setTime(end.Add(time.Second))
	refused(t, v.Verify(t.Context(), e), ErrForbidden, "cannot be trusted")

	cloud.serve(http.StatusOK, pemOf(cloud.authority.signing(t)))
	cloud.setTime(end.Add(time.Second + failureMemory))
	if err := v.Verify(t.Context(), e); err != nil {
		t.Error(err)
	}
}

func TestCertificateFetchFailures(t *testing.T) {
	t.Parallel()
	good := func(cloud *aws) string { return pemOf(cloud.authority.signing(t)) }
	for _, test := range []struct {
		name     string
		answer   func(cloud *aws, w http.ResponseWriter)
		sentinel error
		reason   string
	}{
		{"500", func(c *aws, w http.ResponseWriter) { w.WriteHeader(500) }, ErrUnavailable, "status 500"},
		{"503", func(c *aws, w http.ResponseWriter) { w.WriteHeader(503) }, ErrUnavailable, "status 503"},
		{"429", func(c *aws, w http.ResponseWriter) { w.WriteHeader(429) }, ErrUnavailable, "status 429"},
		{"408", func(c *aws, w http.ResponseWriter) { w.WriteHeader(408) }, ErrUnavailable, "status 408"},
		{"404", func(c *aws, w http.ResponseWriter) { w.WriteHeader(404) }, ErrForbidden, "there is no certificate"},
		{"204", func(c *aws, w http.ResponseWriter) { w.WriteHeader(204) }, ErrForbidden, "there is no certificate"},
		{"redirect", func(c *aws, w http.ResponseWriter) {
			w.Header().Set("Location", "https://"+snsHost+"/other.pem")
			w.WriteHeader(302)
		}, ErrForbidden, "there is no certificate"},
		{"huge body", func(c *aws, w http.ResponseWriter) {
			_, _ = w.Write([]byte(good(c) + strings.Repeat("x", maxCertificate)))
		}, ErrForbidden, "too long"},
		{"endless body", func(c *aws, w http.ResponseWriter) {
			for line := []byte(strings.Repeat("x", 1<<16)); ; {
				if _, err := w.Write(line); err != nil {
					return
				}
			}
		}, ErrForbidden, "too long"},
		{"cut body", func(c *aws, w http.ResponseWriter) {
			w.Header().Set("Content-Length", "5000")
			_, _ = w.Write([]byte(good(c)))
		}, ErrUnavailable, "fetch signing certificate"},
		{"cut connection", func(c *aws, w http.ResponseWriter) { panic(http.ErrAbortHandler) }, ErrUnavailable, "fetch signing certificate"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cloud := newAWS(t)
			cloud.respond(func(w http.ResponseWriter, _ *http.Request) { test.answer(cloud, w) })
			err := cloud.verifier().Verify(t.Context(), signed(t, "notification_http.json"))
			refused(t, err, test.sentinel, test.reason)
			if err != nil && strings.Contains(err.Error(), snsHost) {
				t.Errorf("%v repeats the URL", err)
			}
			if n := cloud.requests.Load(); n != 1 && test.name != "cut connection" {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

func TestCertificateHostUntrusted(t *testing.T) {
	t.Parallel()
	cloud := newAWS(t)
	cloud.transport.TLSClientConfig.RootCAs = newAuthority(t).pool()
	err := cloud.verifier().Verify(t.Context(), signed(t, "notification_http.json"))
	refused(t, err, ErrUnavailable, "fetch signing certificate")
	if n := cloud.requests.Load(); n != 0 {
		t.Errorf("%d requests, want none", n)
	}
}

func TestCertificateSlowBody(t *testing.T) {
	t.Parallel()
	cloud := newAWS(t)
	release := released(t)
	cloud.respond(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("-----BEGIN"))
		_ = http.NewResponseController(w).Flush()
		<-release
	})
	v := cloud.verifier()
	v.client.Timeout = 50 * time.Millisecond
	refused(t, v.Verify(t.Context(), signed(t, "notification_http.json")), ErrUnavailable, "Client.Timeout")
}

// A caller in a hurry gets its answer; the fetch goes on for the next.
func TestCertificateFetchOutlivesCaller(t *testing.T) {
	t.Parallel()
	cloud := newAWS(t)
	begun, release := make(chan struct{}), make(chan struct{})
	body := pemOf(cloud.authority.signing(t))
	cloud.respond(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-release
		_, _ = w.Write([]byte(body))
	})
	v, e := cloud.verifier(), signed(t, "notification_http.json")
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	refused(t, v.Verify(ctx, e), ErrUnavailable, "wait for the signing certificate: context canceled")
	close(release)
	if err := v.Verify(t.Context(), e); err != nil {
		t.Error(err)
	}
	if n := cloud.requests.Load(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
}

func TestCertificateOneFetchForMany(t *testing.T) {
	t.Parallel()
	cloud := newAWS(t)
	release := make(chan struct{})
	body := pemOf(cloud.authority.signing(t))
	cloud.respond(func(w http.ResponseWriter, _ *http.Request) {
		<-release
		_, _ = w.Write([]byte(body))
	})
	v, e := cloud.verifier(), signed(t, "notification_http.json")
	var begun, done sync.WaitGroup
	for range 100 {
		begun.Add(1)
		done.Go(func() {
			begun.Done()
			if err := v.Verify(t.Context(), e); err != nil {
				t.Error(err)
			}
		})
	}
	begun.Wait()
	close(release)
	done.Wait()
	if n := cloud.requests.Load(); n != 1 {
		t.Errorf("%d fetches for 100 messages, want 1", n)
	}
}

// A failure answers for a while, so that a flood is not passed on, and then no more.
func TestCertificateFailureIsForgotten(t *testing.T) {
	t.Parallel()
	cloud := newAWS(t)
	body := pemOf(cloud.authority.signing(t))
	cloud.serve(http.StatusInternalServerError, "")
	v, e := cloud.verifier(), signed(t, "notification_http.json")
	refused(t, v.Verify(t.Context(), e), ErrUnavailable, "status 500")
	cloud.serve(http.StatusOK, body)
	cloud.setTime(moment.Add(failureMemory - time.Millisecond))
	refused(t, v.Verify(t.Context(), e), ErrUnavailable, "status 500")
	if n := cloud.requests.Load(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
	cloud.setTime(moment.Add(failureMemory))
	if err := v.Verify(t.Context(), e); err != nil {
		t.Error(err)
	}
}

// Made-up URLs neither grow the memory nor push out the certificate in use.
func TestCertificateMemoryIsBounded(t *testing.T) {
	t.Parallel()
	cloud := newAWS(t)
	v := cloud.verifier()
	if err := v.Verify(t.Context(), signed(t, "notification_http.json")); err != nil {
		t.Fatal(err)
	}
	cloud.serve(http.StatusNotFound, "")
	at := func(u string) error {
		return v.Verify(t.Context(), signed(t, "notification_http.json", func(e *Envelope) { e.SigningCertURL = u }))
	}
	for i := range 3 * maxEntries {
		refused(t, at(fmt.Sprintf("https://%s/%d.pem", snsHost, i)), ErrForbidden, "there is no certificate")
	}
	if n := len(v.certificates.entries); n != maxEntries {
		t.Errorf("%d URLs remembered, want %d", n, maxEntries)
	}
	if err := at(certURL); err != nil {
		t.Errorf("the certificate in use was forgotten: %v", err)
	}
}

func TestCertificateFetchesAreBounded(t *testing.T) {
	t.Parallel()
	cloud := newAWS(t)
	begun, release := make(chan struct{}), make(chan struct{})
	cloud.respond(func(w http.ResponseWriter, _ *http.Request) {
		begun <- struct{}{}
		<-release
		w.WriteHeader(http.StatusNotFound)
	})
	v := cloud.verifier()
	at := func(i int) error {
		e := signed(t, "notification_http.json", func(e *Envelope) { e.SigningCertURL = fmt.Sprintf("https://%s/%d.pem", snsHost, i) })
		return v.Verify(t.Context(), e)
	}
	var done sync.WaitGroup
	for i := range maxFetches {
		done.Go(func() { refused(t, at(i), ErrForbidden, "there is no certificate") })
		<-begun
	}
	refused(t, at(maxFetches), ErrUnavailable, "too many certificates")
	close(release)
	done.Wait()
}
