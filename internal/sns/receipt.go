package sns

import (
	"fmt"
	"net/mail"
	"slices"
	"strings"
)

// setupMessageID stands in the notice that SES publishes once, when a receipt
// rule is created.
const setupMessageID = "AMAZON_SES_SETUP_NOTIFICATION"

// Receipt is SES's notice of a mail that it received, as far as we need it.
type Receipt struct {
	// MessageID is SES's id of the mail, the same however often SNS delivers.
	MessageID string
	// Setup marks SES's notice that a rule was created: there is no mail, and
	// the other fields are empty.
	Setup bool
	// From is the From header, display names included. Where SES lists several addresses,
	// or the mail has several such headers, it holds them all: their first is whom we
	// answer, and whoever asks for proof must know that it may be about another.
	From string
	// MailFrom is the envelope sender, empty for a bounce.
	MailFrom string
	// Recipients are the addresses of ours that the mail was delivered to or,
	// where SES does not say, those of its To header.
	Recipients []string
	// Verdicts are the results of SES's checks.
	Verdicts Verdicts
	// Bucket and Key say where in S3 the mail lies; empty if the rule stores none.
	Bucket, Key string
}

// Verdicts are PASS, FAIL, GRAY, PROCESSING_FAILED or DISABLED; empty where SES
// gave none. The fields equal those of the domain's type, so that one converts to
// the other.
type Verdicts struct {
	Spam, Virus, SPF, DKIM, DMARC string
}

// Receipt decodes the notice in Message. What we do not need may be missing or
// odd. Fails with ErrMalformed if there is no mail id, no From, or, in a mail to
// the sponsor address, no place in S3.
func (e Envelope) Receipt() (Receipt, error) {
	notice, err := parseObject([]byte(e.Message))
	if err != nil {
		return Receipt{}, fmt.Errorf("read SES notice: %w", err)
	}
	message, receipt := notice.object("mail"), notice.object("receipt")
	headers, action := message.object("commonHeaders"), receipt.object("action")
	id := message.text("messageId")
	if id == setupMessageID {
		return Receipt{MessageID: id, Setup: true}, nil
	}
	from := headers.texts("from")
	if written := message.headers("From"); len(written) > 1 {
		from = append(from, written...)
	}
	if id == "" {
		return Receipt{}, fmt.Errorf("%w: mail.messageId is not a text, or empty", ErrMalformed)
	}
	if len(from) == 0 || strings.TrimSpace(from[0]) == "" {
		return Receipt{}, fmt.Errorf("%w: mail.commonHeaders.from holds no text", ErrMalformed)
	}
	r := Receipt{
		MessageID:  id,
		From:       strings.Join(from, ", "),
		MailFrom:   message.text("source"),
		Recipients: receipt.texts("recipients"),
		Verdicts:   verdicts(receipt),
		Bucket:     action.text("bucketName"),
		Key:        action.text("objectKey"),
	}
	if len(r.Recipients) == 0 {
		r.Recipients = headers.texts("to")
	}
	if r.Sponsor() && (r.Bucket == "" || r.Key == "") {
		return Receipt{}, fmt.Errorf("%w: receipt.action does not say where the sponsor's mail lies", ErrMalformed)
	}
	return r, nil
}

func verdicts(receipt object) Verdicts {
	status := func(key string) string { return receipt.object(key).text("status") }
	return Verdicts{
		Spam:  status("spamVerdict"),
		Virus: status("virusVerdict"),
		SPF:   status("spfVerdict"),
		DKIM:  status("dkimVerdict"),
		DMARC: status("dmarcVerdict"),
	}
}

// Sponsor says whether the mail was sent to the sponsor address: local part
// "sponsor" in any case, whatever the domain (docs/rules.md, Sponsor sign-up).
func (r Receipt) Sponsor() bool {
	return slices.ContainsFunc(r.Recipients, func(recipient string) bool {
		return slices.ContainsFunc(addresses(recipient), func(address string) bool {
			at := strings.LastIndexByte(address, '@')
			// Not EqualFold, to which a long s is an s.
			return at > 0 && strings.ToLower(address[:at]) == "sponsor"
		})
	})
}

// addresses takes the bare addresses out of one entry of a To header. Where that
// breaks the grammar, what stands in the last angle brackets is the address: a
// display name may look like one.
func addresses(header string) []string {
	if list, err := mail.ParseAddressList(header); err == nil {
		bare := make([]string, len(list))
		for i, address := range list {
			bare[i] = address.Address
		}
		return bare
	}
	if open := strings.LastIndexByte(header, '<'); open >= 0 {
		header, _, _ = strings.Cut(header[open+1:], ">")
	}
	return []string{strings.TrimSpace(header)}
}
