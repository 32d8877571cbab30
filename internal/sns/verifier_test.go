package sns

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/measure"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	cloud := newAWS(t)
	v := cloud.verifier()
	for _, name := range []string{"notification_http.json", "notification_lambda.json", "subscription_confirmation.json", "setup.json"} {
		for _, version := range []string{"1", "2"} {
			e := signed(t, name, func(e *Envelope) { e.SignatureVersion = version })
			if err := v.Verify(t.Context(), e); err != nil {
				t.Errorf("%s, version %s: %v", name, version, err)
			}
		}
	}
	if n := cloud.requests.Load(); n != 1 {
		t.Errorf("%d fetches of one certificate, want 1", n)
	}
}

// The same message may have been signed with a Subject and forwarded with null,
// or the reverse: only what was signed verifies.
func TestVerifySubject(t *testing.T) {
	t.Parallel()
	v := pinnedVerifier(t)
	with, without := signed(t, "notification_http.json"), signed(t, "notification_lambda.json")
	swapped, empty := with, without
	swapped.Subject, empty.Subject = nil, new(string)
	refused(t, v.Verify(t.Context(), swapped), ErrForbidden, "does not fit")
	refused(t, v.Verify(t.Context(), empty), ErrForbidden, "does not fit")
}

// Sign is ours; the standard library's own check of certificate signatures agrees with it.
func TestSignAgreesWithX509(t *testing.T) {
	t.Parallel()
	certificate := newAuthority(t).signing(t)
	for version, algorithm := range map[string]x509.SignatureAlgorithm{"1": x509.SHA1WithRSA, "2": x509.SHA256WithRSA} {
		e := signed(t, "notification_http.json", func(e *Envelope) { e.SignatureVersion = version })
		signature, err := base64.StdEncoding.DecodeString(e.Signature)
		if err != nil {
			t.Fatal(err)
		}
		if err := certificate.CheckSignature(algorithm, e.canonical(), signature); err != nil {
			t.Errorf("version %s: %v", version, err)
		}
	}
	if _, err := Sign(Envelope{SignatureVersion: "3"}, signingKey()); err == nil {
		t.Error("signed with version 3")
	}
}

func TestVerifyTampered(t *testing.T) {
	t.Parallel()
	v := pinnedVerifier(t)
	const fit, several = "does not fit", "has several lines"
	type tamper struct {
		name, fixture string
		edit          func(*Envelope)
		reason        string
	}
	const notice, confirmation = "notification_http.json", "subscription_confirmation.json"
	for _, test := range []tamper{
		{"Message", notice, func(e *Envelope) { e.Message += " " }, fit},
		{"Message emptied", notice, func(e *Envelope) { e.Message = "" }, fit},
		{"MessageId", notice, func(e *Envelope) { e.MessageID = "other" }, fit},
		{"MessageId missing", notice, func(e *Envelope) { e.MessageID = "" }, "MessageId is missing"},
		{"Subject", notice, func(e *Envelope) { s := "other"; e.Subject = &s }, fit},
		{"Subject dropped", notice, func(e *Envelope) { e.Subject = nil }, fit},
		{"Timestamp", notice, func(e *Envelope) { e.Timestamp = "2024-05-02T00:55:06.655Z" }, fit},
		{"Timestamp, same moment", notice, func(e *Envelope) { e.Timestamp = "2024-05-02T00:54:06.6550Z" }, fit},
		{"Timestamp missing", notice, func(e *Envelope) { e.Timestamp = "" }, "Timestamp is missing"},
		{"TopicArn", notice, func(e *Envelope) { e.TopicARN = otherTopic }, fit},
		{"TopicArn missing", notice, func(e *Envelope) { e.TopicARN = "" }, "TopicArn is missing"},
		{"Type", confirmation, func(e *Envelope) { e.Type = UnsubscribeConfirmation }, fit},
		{"Type, other fields signed", notice, func(e *Envelope) {
			e.Type, e.Token, e.SubscribeURL = SubscriptionConfirmation, "t", "https://"+snsHost+"/"
		}, fit},
		{"Token", confirmation, func(e *Envelope) { e.Token = "other" }, fit},
		{"Token missing", confirmation, func(e *Envelope) { e.Token = "" }, "Token is missing"},
		{"SubscribeURL", confirmation, func(e *Envelope) { e.SubscribeURL += "0" }, fit},
		{"SubscribeURL missing", confirmation, func(e *Envelope) { e.SubscribeURL = "" }, "SubscribeURL is missing"},
		{"Message of a confirmation", confirmation, func(e *Envelope) { e.Message = "" }, fit},
		{"SignatureVersion", notice, func(e *Envelope) { e.SignatureVersion = "2" }, fit},
		{"SignatureVersion unknown", notice, func(e *Envelope) { e.SignatureVersion = "3" }, "SignatureVersion is unknown"},
		{"SignatureVersion missing", notice, func(e *Envelope) { e.SignatureVersion = "" }, "SignatureVersion is unknown"},
		{"Signature", notice, func(e *Envelope) { e.Signature = strings.Repeat("A", 342) + "==" }, fit},
		{"Signature missing", notice, func(e *Envelope) { e.Signature = "" }, fit},
		{"Signature cut", notice, func(e *Envelope) { e.Signature = e.Signature[:len(e.Signature)-4] }, fit},
		{"Signature with a line break", notice, func(e *Envelope) { e.Signature += "\n" }, "not base64"},
		{"Signature not base64", notice, func(e *Envelope) { e.Signature = "!" + e.Signature[1:] }, "not base64"},
		{"fields moved into MessageId", notice, func(e *Envelope) {
			e.MessageID += "\nSubject\n" + *e.Subject
			e.Subject = nil
		}, several},
		{"fields moved into Subject", notice, func(e *Envelope) {
			subject := *e.Subject + "\nTimestamp\n" + e.Timestamp
			e.Subject = &subject
		}, several},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := signed(t, test.fixture)
			test.edit(&e)
			refused(t, v.Verify(t.Context(), e), ErrForbidden, test.reason)
		})
	}
}

// No signature covers it, and it is never used.
func TestVerifyIgnoresUnsubscribeURL(t *testing.T) {
	t.Parallel()
	e := signed(t, "notification_http.json")
	e.UnsubscribeURL = "https://evil.test/"
	if err := pinnedVerifier(t).Verify(t.Context(), e); err != nil {
		t.Error(err)
	}
}

func TestVerifyWrongKey(t *testing.T) {
	t.Parallel()
	e, err := Sign(parsed(t, "notification_http.json"), strangerKey())
	if err != nil {
		t.Fatal(err)
	}
	refused(t, pinnedVerifier(t).Verify(t.Context(), e), ErrForbidden, "does not fit")
	refused(t, newAWS(t).verifier().Verify(t.Context(), e), ErrForbidden, "does not fit")
}

func TestVerifyAge(t *testing.T) {
	t.Parallel()
	v := pinnedVerifier(t)
	at := func(d time.Duration) string { return moment.Add(d).Format("2006-01-02T15:04:05.000Z") }
	for timestamp, reason := range map[string]string{
		at(0):                                "",
		at(-24 * time.Hour):                  "",
		at(-24*time.Hour - time.Millisecond): "older than 24 hours",
		at(-365 * 24 * time.Hour):            "older than 24 hours",
		at(15 * time.Minute):                 "",
		at(15*time.Minute + time.Second):     "from the future",
		"2024-05-02T01:00:00+01:00":          "",
		"2024-05-02":                         "Timestamp is not one",
		"1714611600":                         "Timestamp is not one",
	} {
		e := signed(t, "notification_http.json", func(e *Envelope) { e.Timestamp = timestamp })
		err := v.Verify(t.Context(), e)
		if reason != "" {
			refused(t, err, ErrForbidden, reason)
		} else if err != nil {
			t.Errorf("%s: %v", timestamp, err)
		}
	}
}

// Nothing is fetched on behalf of someone who does not know our topics.
func TestVerifyWrongTopic(t *testing.T) {
	t.Parallel()
	cloud := newAWS(t)
	v := cloud.verifier()
	for _, arn := range []string{
		"arn:aws:sns:eu-west-1:999999999999:wifi-user-signup-notifications",
		topic + " ", topic + ",", strings.ToUpper(topic), topic[:len(topic)-1], otherTopic + "," + topic,
	} {
		e := signed(t, "notification_http.json", func(e *Envelope) { e.TopicARN = arn })
		refused(t, v.Verify(t.Context(), e), ErrForbidden, "topic is not one of ours")
	}
	none := NewVerifier(VerifierConfig{PinnedCertificate: v.pinned, Now: cloud.now})
	refused(t, none.Verify(t.Context(), signed(t, "notification_http.json")), ErrForbidden, "topic is not one of ours")
	if n := cloud.dials.Load(); n != 0 {
		t.Errorf("%d connections, want none", n)
	}
}

func TestVerifyPinned(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// No name and no known issuer: neither matters.
	ordinary := ca.issue(t, signingKey().Public(), x509.Certificate{})
	for name, test := range map[string]struct {
		certificate *x509.Certificate
		now         time.Time
		reason      string
	}{
		"valid":         {ordinary, moment, ""},
		"last moment":   {ordinary, ordinary.NotAfter, ""},
		"expired":       {ordinary, ordinary.NotAfter.Add(time.Second), "expired or is not valid yet"},
		"not valid yet": {ordinary, ordinary.NotBefore.Add(-time.Second), "expired or is not valid yet"},
		"other key":     {ca.issue(t, strangerKey().Public(), x509.Certificate{}), moment, "does not fit"},
		"not RSA":       {ca.issue(t, ecKey.Public(), x509.Certificate{}), moment, "not RSA"},
	} {
		v := NewVerifier(VerifierConfig{Topics: []string{topic}, PinnedCertificate: test.certificate,
			Transport: noTransport{}, Now: func() time.Time { return test.now }})
		e := signed(t, "notification_http.json", func(e *Envelope) {
			e.Timestamp = test.now.Format(time.RFC3339)
			e.SigningCertURL = "http://localstack:4566/_aws/sns/cert"
		})
		err := v.Verify(t.Context(), e)
		if test.reason != "" {
			refused(t, err, ErrForbidden, test.reason)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The defaults are the real clock and the system's authorities, and no request is
// without a time limit.
func TestVerifyDefaults(t *testing.T) {
	t.Parallel()
	cloud := newAWS(t)
	cloud.setTime(time.Now())
	v := NewVerifier(VerifierConfig{Topics: []string{topic}, Transport: cloud.transport})
	old := signed(t, "notification_http.json")
	refused(t, v.Verify(t.Context(), old), ErrForbidden, "older than 24 hours")
	fresh := signed(t, "notification_http.json", func(e *Envelope) { e.Timestamp = time.Now().UTC().Format(time.RFC3339) })
	refused(t, v.Verify(t.Context(), fresh), ErrForbidden, "cannot be trusted")
	if limit := v.client.Timeout; limit <= 0 || limit > 10*time.Second {
		t.Errorf("requests may take %s", limit)
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, version := range []string{"1", "2"} {
		b.Run("version "+version, func(b *testing.B) {
			v := newAWS(b).verifier()
			e := signed(b, "notification_http.json", func(e *Envelope) { e.SignatureVersion = version })
			for b.Loop() {
				if err := v.Verify(context.Background(), e); err != nil {
					b.Fatal(err)
				}
			}
			ours, bare := b.Elapsed()/time.Duration(b.N), timeRSA(b)
			measure.Row{What: "one SNS message verified, certificate cached, version " + version, Ours: micros(ours), Reference: micros(bare),
				Result: float64(ours) / float64(bare), Is: "crypto/rsa's check of one signature alone"}.Report(b)
		})
	}
}

func micros(d time.Duration) string { return fmt.Sprintf("%.0f µs", float64(d.Nanoseconds())/1000) }

// timeRSA times one check of a signature by a key of SNS's size.
func timeRSA(b *testing.B) time.Duration {
	b.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256([]byte("a message"))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		b.Fatal(err)
	}
	const times = 2000
	began := time.Now()
	for range times {
		if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], signature); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(began) / times
}
