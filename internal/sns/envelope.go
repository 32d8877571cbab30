package sns

import (
	"fmt"
	"strings"
)

// The types of envelope. SNS says the same in the header x-amz-sns-message-type.
const (
	Notification             = "Notification"
	SubscriptionConfirmation = "SubscriptionConfirmation"
	UnsubscribeConfirmation  = "UnsubscribeConfirmation"
)

// Envelope is what SNS wraps around a message. Its JSON has SNS's own spelling;
// read it with Parse, which knows the Lambda's spelling too. Nothing in it can be
// believed before Verifier.Verify, and UnsubscribeURL not even then: no signature
// covers it, nor Token and SubscribeURL of a Notification.
type Envelope struct {
	// Type is one of the three constants above.
	Type string
	// MessageID stays the same when SNS delivers a message again.
	MessageID string `json:"MessageId,omitempty"`
	// Token confirms a subscription; only in confirmations.
	Token string `json:",omitempty"`
	// TopicARN names the topic.
	TopicARN string `json:"TopicArn,omitempty"`
	// Subject is nil when absent or null, and then no part of what is signed.
	Subject *string `json:",omitempty"`
	// Message is the text published: for us, JSON written by SES.
	Message string
	// SubscribeURL confirms the subscription when fetched; only in confirmations.
	SubscribeURL string `json:",omitempty"`
	// Timestamp is when the message was published, as written: the signature
	// covers the text.
	Timestamp string `json:",omitempty"`
	// SignatureVersion is "1" (SHA-1) or "2" (SHA-256).
	SignatureVersion string `json:",omitempty"`
	// Signature is base64.
	Signature string `json:",omitempty"`
	// SigningCertURL is where the certificate of the signature's key can be had.
	SigningCertURL string `json:",omitempty"`
	// UnsubscribeURL ends the subscription when fetched; never fetched here.
	UnsubscribeURL string `json:",omitempty"`
}

// Parse reads an envelope as SNS posts it, or as a Lambda receives and forwards it
// (docs/facts.md, C1: "Url" for "URL", null Subject). Only Type and Message must
// be there: what a signature needs is for Verify to miss, since verification can
// be off. Unknown fields do not matter. Fails with ErrMalformed.
func Parse(body []byte) (Envelope, error) {
	fields, err := parseObject(body)
	if err != nil {
		return Envelope{}, err
	}
	r := envelopeReader{fields: fields}
	e := Envelope{
		Type:             r.required("Type"),
		MessageID:        r.text("MessageId"),
		Token:            r.text("Token"),
		TopicARN:         r.text("TopicArn"),
		Subject:          r.optional("Subject"),
		Message:          r.required("Message"),
		SubscribeURL:     r.either("SubscribeURL", "SubscribeUrl"),
		Timestamp:        r.text("Timestamp"),
		SignatureVersion: r.text("SignatureVersion"),
		Signature:        r.text("Signature"),
		SigningCertURL:   r.either("SigningCertURL", "SigningCertUrl"),
		UnsubscribeURL:   r.either("UnsubscribeURL", "UnsubscribeUrl"),
	}
	if r.err != nil {
		return Envelope{}, r.err
	}
	switch e.Type {
	case Notification, SubscriptionConfirmation, UnsubscribeConfirmation:
		return e, nil
	}
	return Envelope{}, fmt.Errorf("%w: its Type is unknown", ErrMalformed)
}

// envelopeReader takes fields one by one and keeps the first error.
type envelopeReader struct {
	fields object
	err    error
}

func (r *envelopeReader) optional(key string) *string {
	text, err := r.fields.optional(key)
	if err != nil && r.err == nil {
		r.err = err
	}
	return text
}

func (r *envelopeReader) text(key string) string {
	if text := r.optional(key); text != nil {
		return *text
	}
	return ""
}

func (r *envelopeReader) required(key string) string {
	text := r.optional(key)
	if text != nil {
		return *text
	}
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s is missing", ErrMalformed, key)
	}
	return ""
}

// either takes a field that is spelt in two ways. Were both there and different,
// the one we check might not be the one that somebody else acts on.
func (r *envelopeReader) either(key, other string) string {
	first, second := r.optional(key), r.optional(other)
	switch {
	case first == nil && second == nil:
		return ""
	case second == nil:
		return *first
	case first == nil:
		return *second
	}
	if *first != *second && r.err == nil {
		r.err = fmt.Errorf("%w: %s and %s differ", ErrMalformed, key, other)
	}
	return *first
}

// signedField is a field that the signature covers.
type signedField struct{ key, value string }

// signedFields lists what the signature covers, in its order, which depends on
// the type (docs/facts.md, C3).
func (e Envelope) signedFields() []signedField {
	fields := []signedField{{"Message", e.Message}, {"MessageId", e.MessageID}}
	if e.Type == Notification {
		if e.Subject != nil {
			fields = append(fields, signedField{"Subject", *e.Subject})
		}
		return append(fields, signedField{"Timestamp", e.Timestamp},
			signedField{"TopicArn", e.TopicARN}, signedField{"Type", e.Type})
	}
	return append(fields, signedField{"SubscribeURL", e.SubscribeURL}, signedField{"Timestamp", e.Timestamp},
		signedField{"Token", e.Token}, signedField{"TopicArn", e.TopicARN}, signedField{"Type", e.Type})
}

// canonical is the text that is signed.
func (e Envelope) canonical() []byte {
	var text strings.Builder
	for _, field := range e.signedFields() {
		text.WriteString(field.key + "\n" + field.value + "\n")
	}
	return []byte(text.String())
}
