package sns

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestReceipt(t *testing.T) {
	t.Parallel()
	want := Receipt{
		MessageID:  "d6iitobk75ur44p8kdnnp7g2n800",
		From:       "Jo Bloggs <jo@dept.gov.uk>",
		MailFrom:   "bounce+jo@dept.gov.uk",
		Recipients: []string{"signup@wifi.service.gov.uk"},
		Verdicts:   Verdicts{Spam: "PASS", Virus: "PASS", SPF: "PASS", DKIM: "GRAY", DMARC: "PASS"},
		Bucket:     "wifi-emailbucket",
		Key:        "d6iitobk75ur44p8kdnnp7g2n800",
	}
	for _, name := range []string{"notification_http.json", "notification_lambda.json"} {
		if got, err := parsed(t, name).Receipt(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
	}

	want.From, want.Recipients, want.Verdicts.DMARC = `"Sally, HR" <sally@dept.gov.uk>`, []string{"sponsor@wifi.service.gov.uk"}, ""
	old, err := Envelope{Message: fixture(t, "receipt_old.json")}.Receipt()
	if err != nil || !reflect.DeepEqual(old, want) {
		t.Errorf("receipt_old.json: %+v, %v; want %+v", old, err, want)
	}
	if !old.Sponsor() {
		t.Error("receipt_old.json is no sponsor's mail")
	}
}

func TestReceiptOfSetup(t *testing.T) {
	t.Parallel()
	want := Receipt{MessageID: "AMAZON_SES_SETUP_NOTIFICATION", Setup: true}
	for _, message := range []string{
		parsed(t, "setup.json").Message,
		`{"mail":{"messageId":"AMAZON_SES_SETUP_NOTIFICATION"}}`,
		`{"mail":{"messageId":"AMAZON_SES_SETUP_NOTIFICATION","commonHeaders":{"from":5}},"receipt":[]}`,
	} {
		if got, err := (Envelope{Message: message}).Receipt(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", message, got, err, want)
		}
	}
}

func TestReceiptMinimal(t *testing.T) {
	t.Parallel()
	want := Receipt{MessageID: "id", From: "jo@dept.gov.uk"}
	for name, message := range map[string]string{
		"missing": `{"mail":{"messageId":"id","commonHeaders":{"from":["jo@dept.gov.uk"]}}}`,
		"null": `{"mail":{"messageId":"id","source":null,"commonHeaders":{"from":["jo@dept.gov.uk"],"to":null}},
			"receipt":{"recipients":null,"spamVerdict":null,"dmarcVerdict":{"status":null},"action":null}}`,
		"odd": `{"mail":{"messageId":"id","source":1,"commonHeaders":{"from":["jo@dept.gov.uk"],"to":{}}},
			"receipt":{"recipients":"sponsor@x","spamVerdict":"PASS","dmarcVerdict":{"status":1},"action":[]}}`,
	} {
		if got, err := (Envelope{Message: message}).Receipt(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
	}
}

// SES may have judged any of the senders that a mail names.
func TestReceiptNamesAllSenders(t *testing.T) {
	t.Parallel()
	for mail, want := range map[string]string{
		`"commonHeaders":{"from":["Jo <jo@dept.gov.uk>","evil@x.com"]}`: "Jo <jo@dept.gov.uk>, evil@x.com",
		`"commonHeaders":{"from":["jo@dept.gov.uk"]},
			"headers":[{"name":"From","value":"jo@dept.gov.uk"},{"name":"To","value":"a@b.uk"},{"name":"from","value":"evil@x.com"}]`: "jo@dept.gov.uk, jo@dept.gov.uk, evil@x.com",
		`"commonHeaders":{"from":["Jo <jo@dept.gov.uk>"]}, "headers":[{"name":"From","value":"=?utf-8?q?Jo?= <jo@dept.gov.uk>"}]`: "Jo <jo@dept.gov.uk>",
		`"commonHeaders":{"from":["jo@dept.gov.uk"]}, "headers":[5,{}]`:                                                           "jo@dept.gov.uk",
	} {
		r, err := Envelope{Message: `{"mail":{"messageId":"id",` + mail + `}}`}.Receipt()
		if err != nil || r.From != want {
			t.Errorf("%s: from %q, %v; want %q", mail, r.From, err, want)
		}
	}
}

func TestReceiptMalformed(t *testing.T) {
	t.Parallel()
	const noID, noFrom = "mail.messageId is not a text", "mail.commonHeaders.from holds no text"
	for message, reason := range map[string]string{
		``:                   "not a JSON object",
		`Hello`:              "not a JSON object",
		`null`:               "not a JSON object",
		`{"mail":`:           "not a JSON object",
		`{}`:                 noID,
		`{"mail":null}`:      noID,
		`{"mail":"x"}`:       noID,
		`{"Mail":{"id":""}}`: noID,
		`{"mail":{"messageId":"","commonHeaders":{"from":["jo@x.uk"]}}}`:          noID,
		`{"mail":{"messageId":null,"commonHeaders":{"from":["jo@x.uk"]}}}`:        noID,
		`{"mail":{"messageId":7,"commonHeaders":{"from":["jo@x.uk"]}}}`:           noID,
		`{"mail":{"messageId":"id"}}`:                                             noFrom,
		`{"mail":{"messageId":"id","commonHeaders":null}}`:                        noFrom,
		`{"mail":{"messageId":"id","commonHeaders":{}}}`:                          noFrom,
		`{"mail":{"messageId":"id","commonHeaders":{"from":null}}}`:               noFrom,
		`{"mail":{"messageId":"id","commonHeaders":{"from":[]}}}`:                 noFrom,
		`{"mail":{"messageId":"id","commonHeaders":{"from":[null]}}}`:             noFrom,
		`{"mail":{"messageId":"id","commonHeaders":{"from":[" "]}}}`:              noFrom,
		`{"mail":{"messageId":"id","commonHeaders":{"from":[5]}}}`:                noFrom,
		`{"mail":{"messageId":"id","commonHeaders":{"from":"jo@x.uk"}}}`:          noFrom,
		`{"mail":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`:      "nests too deeply",
		strings.Replace(fixture(t, "receipt_old.json"), "bucketName", "b", 1):     "does not say where",
		strings.Replace(fixture(t, "receipt_old.json"), `"objectKey"`, `"k"`, 1):  "does not say where",
		strings.Replace(fixture(t, "receipt_old.json"), `"action"`, `"other"`, 1): "does not say where",
	} {
		_, err := Envelope{Message: message}.Receipt()
		refused(t, err, ErrMalformed, reason)
	}
}

func TestReceiptSponsor(t *testing.T) {
	t.Parallel()
	for recipient, want := range map[string]bool{
		"sponsor@wifi.service.gov.uk":                       true,
		"SPONSOR@wifi.service.gov.uk":                       true,
		"<sponsor@wifi.service.gov.uk>":                     true,
		"<sponsor@wifi.service.gov.uk>; x":                  true,
		`"Sponsors" <Sponsor@wifi.service.gov.uk>`:          true,
		`Wi-Fi; team <sponsor@wifi.service.gov.uk>`:         true,
		"=?utf-8?q?Spons=C3=B6r?= <sponsor@x.gov.uk>":       true,
		"jo@x.uk, sponsor@wifi.service.gov.uk":              true,
		"signup@wifi.service.gov.uk":                        false,
		"sponsors@wifi.service.gov.uk":                      false,
		"asponsor@wifi.service.gov.uk":                      false,
		"sponsor+x@wifi.service.gov.uk":                     false,
		"sponsor":                                           false,
		"signup@sponsor":                                    false,
		"sponsor@x@wifi.service.gov.uk":                     false,
		`"sponsor@wifi.service.gov.uk" <signup@x.gov.uk>`:   false,
		`sponsor@wifi.service.gov.uk; x <signup@x.gov.uk>`:  false,
		"ſponsor@wifi.service.gov.uk":                       false,
		"":                                                  false,
		"<":                                                 false,
		"undisclosed-recipients:;":                          false,
		"@":                                                 false,
		"spon\u200bsor@wifi.service.gov.uk":                 false,
		`"Sponsors: all" <sponsor@wifi.service.gov.uk> (x)`: true,
	} {
		if got := (Receipt{Recipients: []string{"x@y.uk", recipient}}).Sponsor(); got != want {
			t.Errorf("Sponsor of %q = %v, want %v", recipient, got, want)
		}
	}
}

// What SES says of the envelope decides, whatever the To header claims.
func TestReceiptRecipients(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		recipients, to []string
		want           bool
	}{
		"envelope":                 {[]string{"signup@w.uk", "sponsor@w.uk"}, []string{"x@y.uk"}, true},
		"header is not looked at":  {[]string{"signup@w.uk"}, []string{"sponsor@w.uk"}, false},
		"header for want of other": {nil, []string{`"Sponsors" <sponsor@w.uk>`}, true},
		"neither":                  {nil, nil, false},
	} {
		message, err := json.Marshal(map[string]any{
			"mail":    map[string]any{"messageId": "id", "commonHeaders": map[string]any{"from": []string{"a@b.uk"}, "to": test.to}},
			"receipt": map[string]any{"recipients": test.recipients, "action": map[string]any{"bucketName": "b", "objectKey": "k"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		r, err := Envelope{Message: string(message)}.Receipt()
		if err != nil || r.Sponsor() != test.want {
			t.Errorf("%s: Sponsor = %v, %v; want %v", name, r.Sponsor(), err, test.want)
		}
	}
}
