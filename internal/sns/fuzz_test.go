package sns

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
)

var fixtures = []string{"notification_http.json", "notification_lambda.json", "subscription_confirmation.json", "setup.json", "receipt_old.json"}

// Parse takes anything; what it accepts survives being written and read again.
func FuzzParse(f *testing.F) {
	for _, name := range fixtures {
		f.Add([]byte(fixture(f, name)))
	}
	f.Add([]byte(`{"Type":"Notification","Message":"\ud800","Subject":"","SigningCertURL":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := Parse(body)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("%v is not ErrMalformed", err)
			}
			return
		}
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(text)
		if err != nil || !reflect.DeepEqual(again, e) {
			t.Fatalf("%+v came back as %+v, %v", e, again, err)
		}
	})
}

// Receipt takes anything; what it accepts has what every job needs.
func FuzzReceipt(f *testing.F) {
	for _, name := range fixtures[:4] {
		f.Add(parsed(f, name).Message)
	}
	f.Add(fixture(f, "receipt_old.json"))
	f.Fuzz(func(t *testing.T, message string) {
		r, err := Envelope{Message: message}.Receipt()
		switch {
		case err != nil:
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("%v is not ErrMalformed", err)
			}
		case r.MessageID == "", r.From == "" && !r.Setup, r.Sponsor() && r.Key == "":
			t.Fatalf("accepted %+v", r)
		}
	})
}

// Of all envelopes with the signatures of these two, only these two verify. The
// signature is the input's only if it is not empty, as each process has a key of
// its own.
func FuzzVerify(f *testing.F) {
	notice, confirmation := signed(f, "notification_http.json"), signed(f, "subscription_confirmation.json")
	v := pinnedVerifier(f)
	add := func(e Envelope, subject string) {
		f.Add(e.Type, e.MessageID, e.Token, e.TopicARN, subject, e.Subject != nil, e.Message, e.SubscribeURL, e.Timestamp, e.SignatureVersion, "")
	}
	add(notice, *notice.Subject)
	add(confirmation, "")
	shifted := notice
	shifted.Message += "\nMessageId\n" + notice.MessageID
	shifted.MessageID, shifted.Subject = "Subject\n"+*notice.Subject, nil
	add(shifted, "")
	f.Fuzz(func(t *testing.T, kind, id, token, arn, subject string, hasSubject bool, message, subscribe, timestamp, version, signature string) {
		original := notice
		if kind != Notification {
			original = confirmation
		}
		e := Envelope{Type: kind, MessageID: id, Token: token, TopicARN: arn, Message: message, SubscribeURL: subscribe,
			Timestamp: timestamp, SignatureVersion: version, Signature: original.Signature, SigningCertURL: certURL}
		if hasSubject {
			e.Subject = &subject
		}
		if signature != "" {
			e.Signature = signature
		}
		err := v.Verify(t.Context(), e)
		if err != nil {
			if !errors.Is(err, ErrForbidden) {
				t.Fatalf("%v is not ErrForbidden", err)
			}
			return
		}
		if e.Signature != original.Signature || !reflect.DeepEqual(e.signedFields(), original.signedFields()) {
			t.Fatalf("%+v verifies", e)
		}
	})
}
