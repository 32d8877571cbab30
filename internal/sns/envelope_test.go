package sns

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestParseReadsBothSpellings(t *testing.T) {
	t.Parallel()
	direct, forwarded := parsed(t, "notification_http.json"), parsed(t, "notification_lambda.json")
	if direct.Subject == nil || *direct.Subject != "Amazon SES Email Receipt Notification" {
		t.Errorf("Subject = %v", direct.Subject)
	}
	if direct.SigningCertURL != certURL || !strings.Contains(direct.UnsubscribeURL, "Action=Unsubscribe") {
		t.Errorf("URLs = %q, %q", direct.SigningCertURL, direct.UnsubscribeURL)
	}
	if forwarded.Subject != nil {
		t.Errorf("null Subject = %q, want nil", *forwarded.Subject)
	}
	forwarded.Subject = direct.Subject
	if !reflect.DeepEqual(direct, forwarded) {
		t.Errorf("the same message, read differently:\n%+v\n%+v", direct, forwarded)
	}
}

func TestParseTakesAnUnsignedEnvelope(t *testing.T) {
	t.Parallel()
	e, err := Parse([]byte(`{"Type":"Notification","Message":"{}"}`))
	if want := (Envelope{Type: Notification, Message: "{}"}); err != nil || e != want {
		t.Errorf("Parse = %+v, %v; want %+v", e, err, want)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	deep := func(levels int) string {
		return `{"Type":"Notification","Message":"[[{{\"","Extra":` + strings.Repeat("[", levels) + strings.Repeat("]", levels) + `}`
	}
	for name, test := range map[string]struct{ body, reason string }{
		"empty Message":                {`{"Type":"Notification","Message":""}`, ""},
		"equal spellings":              {`{"Type":"Notification","Message":"","SigningCertURL":"a","SigningCertUrl":"a"}`, ""},
		"one spelling null":            {`{"Type":"Notification","Message":"","SigningCertURL":null,"SigningCertUrl":"a"}`, ""},
		"depth at the limit":           {deep(31), ""},
		"no body":                      {``, "not a JSON object"},
		"text":                         {`hello`, "not a JSON object"},
		"null":                         {`null`, "not a JSON object"},
		"a list":                       {`[{"Type":"Notification","Message":""}]`, "not a JSON object"},
		"something behind":             {`{"Type":"Notification","Message":""}{}`, "not a JSON object"},
		"depth over the limit":         {deep(32), "nests too deeply"},
		"endless depth":                {strings.Repeat(`{"Type":`, 50_000), "nests too deeply"},
		"Type missing":                 {`{"Message":""}`, "Type is missing"},
		"Type null":                    {`{"Type":null,"Message":""}`, "Type is missing"},
		"Type a number":                {`{"Type":1,"Message":""}`, "Type is not a string"},
		"Type unknown":                 {`{"Type":"notification","Message":""}`, "Type is unknown"},
		"Message missing":              {`{"Type":"Notification"}`, "Message is missing"},
		"Message null":                 {`{"Type":"Notification","Message":null}`, "Message is missing"},
		"Message an object":            {`{"Type":"Notification","Message":{}}`, "Message is not a string"},
		"keys of another case":         {`{"type":"Notification","message":""}`, "Type is missing"},
		"Subject a list":               {`{"Type":"Notification","Message":"","Subject":["a"]}`, "Subject is not a string"},
		"Timestamp a number":           {`{"Type":"Notification","Message":"","Timestamp":1714611246}`, "Timestamp is not a string"},
		"two SigningCertURLs differ":   {`{"Type":"Notification","Message":"","SigningCertURL":"a","SigningCertUrl":"b"}`, "SigningCertURL and SigningCertUrl differ"},
		"two SubscribeURLs differ":     {`{"Type":"Notification","Message":"","SubscribeURL":"a","SubscribeUrl":""}`, "SubscribeURL and SubscribeUrl differ"},
		"two UnsubscribeURLs differ":   {`{"Type":"Notification","Message":"","UnsubscribeURL":"a","UnsubscribeUrl":"b"}`, "UnsubscribeURL and UnsubscribeUrl differ"},
		"second spelling a wrong type": {`{"Type":"Notification","Message":"","SigningCertURL":"a","SigningCertUrl":1}`, "SigningCertUrl is not a string"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse([]byte(test.body))
			if test.reason != "" {
				refused(t, err, ErrMalformed, test.reason)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEnvelopeMarshalsAsParseReadsIt(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"notification_http.json", "notification_lambda.json", "subscription_confirmation.json"} {
		e := parsed(t, name)
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(text)
		if err != nil || !reflect.DeepEqual(again, e) {
			t.Errorf("%s came back as %+v, %v", name, again, err)
		}
	}
}

// The texts are written out: signer and verifier share canonical, so that their
// agreement alone would prove nothing.
func TestCanonical(t *testing.T) {
	t.Parallel()
	subject, empty := "Hello", ""
	base := Envelope{Type: Notification, MessageID: "id", Token: "token", TopicARN: "arn", Message: "line 1\nline 2",
		SubscribeURL: "https://subscribe", Timestamp: "now", SigningCertURL: "https://cert"}
	notice := func(subject *string) Envelope { e := base; e.Subject = subject; return e }
	confirmation := notice(&subject)
	confirmation.Type = SubscriptionConfirmation
	goodbye := confirmation
	goodbye.Type = UnsubscribeConfirmation
	const confirmed = "Message\nline 1\nline 2\nMessageId\nid\nSubscribeURL\nhttps://subscribe\nTimestamp\nnow\nToken\ntoken\nTopicArn\narn\nType\n"
	for name, test := range map[string]struct {
		envelope Envelope
		want     string
	}{
		"with subject":  {notice(&subject), "Message\nline 1\nline 2\nMessageId\nid\nSubject\nHello\nTimestamp\nnow\nTopicArn\narn\nType\nNotification\n"},
		"empty subject": {notice(&empty), "Message\nline 1\nline 2\nMessageId\nid\nSubject\n\nTimestamp\nnow\nTopicArn\narn\nType\nNotification\n"},
		"no subject":    {notice(nil), "Message\nline 1\nline 2\nMessageId\nid\nTimestamp\nnow\nTopicArn\narn\nType\nNotification\n"},
		"subscription":  {confirmation, confirmed + "SubscriptionConfirmation\n"},
		"goodbye":       {goodbye, confirmed + "UnsubscribeConfirmation\n"},
	} {
		if got := string(test.envelope.canonical()); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
