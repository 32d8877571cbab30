// Package outside is the world around the service, for the sandbox and for tests:
// people who write mails and texts, AWS SES and SNS, and GOV.UK Notify's inbound
// webhook. It speaks to ingest as they do, over HTTP, signed.
package outside

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/mail"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/govwifi/user-signup/internal/s3/s3test"
	"github.com/govwifi/user-signup/internal/sns"
)

const (
	// MailBucket is where SES puts mail.
	MailBucket = "wifi-emailbucket"
	// Topic is where SES announces it.
	Topic = "arn:aws:sns:eu-west-1:123456789012:wifi-user-signup-notifications"
	// Number is the service's own number.
	Number = "07537417417"
)

// World is everything outside. Its fields are set once, by New and its caller.
type World struct {
	// Ingest is the service's base URL.
	Ingest string
	// Token is what GOV.UK Notify shows at the door.
	Token string
	// S3 takes mails before they are announced.
	S3 *s3test.Server
	// Certificate is what SNS signs with; the service pins it.
	Certificate *x509.Certificate

	key *rsa.PrivateKey
}

// New makes a world with an SNS of its own.
func New(token string, s3 *s3test.Server) (*World, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sns.amazonaws.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make a signing certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read our own certificate: %w", err)
	}
	s3.CreateBucket(MailBucket)
	return &World{Token: token, S3: s3, Certificate: certificate, key: key}, nil
}

// Event is a webhook that can be delivered, as often as its sender likes.
type Event struct {
	// ID is the event's identity: SES's or Notify's id.
	ID     string
	path   string
	header http.Header
	body   []byte
}

// Mail is how SES announces a mail: raw is stored in S3, and the notice of it,
// signed by SNS, becomes the event. Verdicts default to PASS.
func (w *World) Mail(raw []byte, recipient string, verdicts map[string]string) (Event, error) {
	return w.MailTo(raw, []string{recipient}, verdicts)
}

// MailTo is Mail to several of the service's addresses, which SES announces once.
func (w *World) MailTo(raw []byte, recipients []string, verdicts map[string]string) (Event, error) {
	message, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return Event{}, fmt.Errorf("read the mail's headers: %w", err)
	}
	random := make([]byte, 20)
	_, _ = rand.Read(random) // never fails
	id := hex.EncodeToString(random)
	w.S3.Put(MailBucket, s3test.Object{Key: id, Body: asStored(id, raw, message.Header, recipients[0], verdicts)})
	envelope, err := sns.Sign(sns.Envelope{
		Type: sns.Notification, MessageID: uuid.NewString(), TopicARN: Topic,
		Message: notice(id, raw, message.Header, recipients, verdicts), Timestamp: time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		SignatureVersion: "1", SigningCertURL: "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-sandbox.pem",
	}, w.key)
	if err != nil {
		return Event{}, err
	}
	body, err := json.Marshal(envelope)
	if err != nil {
		return Event{}, fmt.Errorf("encode the envelope: %w", err)
	}
	return Event{id, "/user-signup/email-notification", http.Header{
		"X-Amz-Sns-Message-Type": {sns.Notification}, "Content-Type": {"text/plain; charset=UTF-8"}}, body}, nil
}

// asStored is a mail as SES stores it, under the headers that SES puts on top.
func asStored(id string, raw []byte, header mail.Header, recipient string, verdicts map[string]string) []byte {
	verdict := func(name string) string { return cmp.Or(verdicts[name], "PASS") }
	result := func(name string) string { return map[string]string{"PASS": "pass", "FAIL": "fail"}[verdict(name)] }
	sender := header.Get("From")
	if from, err := mail.ParseAddress(sender); err == nil {
		sender = from.Address
	}
	_, domain, _ := strings.Cut(sender, "@")
	top := fmt.Sprintf("Return-Path: <%s>\r\nReceived: from mx.%s (mx.%s [192.0.2.1])\r\n"+
		" by inbound-smtp.eu-west-1.amazonaws.com with SMTP id %s\r\n for %s;\r\n %s\r\n"+
		"X-SES-Spam-Verdict: %s\r\nX-SES-Virus-Verdict: %s\r\n"+
		"Received-SPF: %s (spfCheck: domain of %s) client-ip=192.0.2.1; envelope-from=%s; helo=mx.%s;\r\n"+
		"Authentication-Results: amazonses.com;\r\n spf=%s (spfCheck: domain of %s) client-ip=192.0.2.1; envelope-from=%s; helo=mx.%s;\r\n"+
		" dkim=%s header.i=@%s;\r\n dmarc=%s header.from=%s;\r\nX-SES-RECEIPT: AEFBQUFBQUFB\r\nX-SES-DKIM-SIGNATURE: a=rsa-sha256; d=amazonses.com\r\n",
		sender, domain, domain, id, recipient, time.Now().UTC().Format(time.RFC1123Z), verdict("spam"), verdict("virus"),
		cmp.Or(result("spf"), "none"), domain, sender, domain, cmp.Or(result("spf"), "none"), domain, sender, domain,
		cmp.Or(result("dkim"), "none"), domain, cmp.Or(result("dmarc"), "none"), domain)
	return append([]byte(top), raw...)
}

// notice is SES's receipt notification (docs/facts.md, C5).
func notice(id string, raw []byte, header mail.Header, recipients []string, verdicts map[string]string) string {
	receipt := map[string]any{
		"recipients": recipients,
		"action":     map[string]string{"type": "S3", "bucketName": MailBucket, "objectKey": id},
	}
	for _, name := range []string{"spam", "virus", "spf", "dkim", "dmarc"} {
		status := verdicts[name]
		if status == "" {
			status = "PASS"
		}
		receipt[name+"Verdict"] = map[string]string{"status": status}
	}
	from := header.Get("From")
	headers, truncated := inNotice(raw)
	text, err := json.Marshal(map[string]any{
		"notificationType": "Received",
		"mail": map[string]any{"messageId": id, "source": from, "headersTruncated": truncated, "headers": headers,
			"commonHeaders": map[string]any{"from": []string{from}, "to": []string{header.Get("To")}, "subject": header.Get("Subject")}},
		"receipt": receipt,
	})
	if err != nil {
		panic(err) // only texts are in it
	}
	return string(text)
}

// Text is how GOV.UK Notify announces a text.
func (w *World) Text(from, text string) Event {
	id := uuid.NewString()
	body, err := json.Marshal(map[string]string{"id": id, "source_number": from, "destination_number": Number,
		"message": text, "date_received": time.Now().UTC().Format(notifyTime)})
	if err != nil {
		panic(err) // only texts are in it
	}
	return Event{id, "/user-signup/sms-notification/notify", http.Header{
		"Authorization": {"Bearer " + w.Token}, "Content-Type": {"application/json"}}, body}
}

// Receipt is how GOV.UK Notify reports what became of a message; its event's ID is the
// message's.
func (w *World) Receipt(id, reference, status string, completed time.Time) Event {
	body, err := json.Marshal(map[string]any{"id": id, "reference": reference, "to": "+447700900123", "status": status,
		"created_at": completed.UTC().Format(notifyTime), "completed_at": completed.UTC().Format(notifyTime), "sent_at": nil,
		"notification_type": "sms", "template_id": uuid.NewString(), "template_version": 1})
	if err != nil {
		panic(err) // only texts are in it
	}
	return Event{id, "/user-signup/delivery-receipt/notify", http.Header{
		"Authorization": {"Bearer " + w.Token}, "Content-Type": {"application/json"}}, body}
}

// notifyTime is how GOV.UK Notify writes times.
const notifyTime = "2006-01-02T15:04:05.000000Z"

// With is the event with one more header.
func (e Event) With(header, value string) Event {
	e.header = e.header.Clone()
	e.header.Set(header, value)
	return e
}

// Request is what delivers the event.
func (w *World) Request(ctx context.Context, e Event) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.Ingest+e.path, bytes.NewReader(e.body))
	if err != nil {
		return nil, fmt.Errorf("deliver an event: %w", err)
	}
	request.Header = e.header.Clone()
	return request, nil
}

// Deliver posts the event once and returns the status of the answer.
func (w *World) Deliver(ctx context.Context, e Event) (status int, err error) {
	request, err := w.Request(ctx, e)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, fmt.Errorf("deliver an event: %w", err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode, response.Body.Close()
}

// PlainMail is a simple mail as most clients write it.
func PlainMail(from, to, subject, text string) []byte {
	return fmt.Appendf(nil, "From: %s\r\nTo: %s\r\nSubject: %s\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n", from, to, subject, text)
}

// maxHeaders is how much of a mail's headers SES tells, in bytes (docs/facts.md, C2).
const maxHeaders = 10_000

// inNotice lists a mail's headers in its order, as many as SES tells.
func inNotice(raw []byte) (headers []map[string]string, truncated bool) {
	size := 0
	for line := range bytes.Lines(raw) {
		text := strings.TrimRight(string(line), "\r\n")
		name, value, _ := strings.Cut(text, ":")
		switch size += len(text); {
		case text == "":
			return headers, false
		case size > maxHeaders:
			return headers, true
		case strings.HasPrefix(text, " ") || strings.HasPrefix(text, "\t"):
			headers[len(headers)-1]["value"] += " " + strings.TrimSpace(text)
		default:
			headers = append(headers, map[string]string{"name": name, "value": strings.TrimSpace(value)})
		}
	}
	return headers, false
}
