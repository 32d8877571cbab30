package job

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// guard has a fixed opinion.
type guard struct {
	repeats bool
	err     error
}

func (g guard) Repeats(context.Context, govwifi.IncomingText) (bool, error) { return g.repeats, g.err }

func TestTexts(t *testing.T) {
	t.Parallel()
	go1 := Text{MessageID: "id1", Number: "+447700900123", Destination: "07537417417", Text: "Go"}
	own := go1
	own.Destination = "07700 900123"
	broken := go1
	broken.Number = "DVLA"
	credentials := func(t govwifi.Template) []govwifi.Message {
		return []govwifi.Message{{Template: t, To: "+447700900123", Reference: "id1",
			Personalisation: map[string]string{"login": "newone", "pass": "FreshNewPass"}}}
	}
	away := errors.New("away")
	for name, c := range map[string]struct {
		text      Text
		topic     govwifi.Topic
		guard     guard
		users     people
		want      []govwifi.Message
		fails     bool
		permanent bool
	}{
		"credentials":   {text: go1, topic: govwifi.TopicCredentials, want: credentials(govwifi.CredentialsSMS)},
		"menu":          {text: go1, topic: govwifi.TopicMenu, want: credentials(govwifi.HelpMenuSMS)},
		"recap":         {text: go1, topic: govwifi.TopicRecap, want: credentials(govwifi.RecapSMS)},
		"a device":      {text: go1, topic: govwifi.TopicChromebook, want: credentials(govwifi.DeviceHelpChromebookSMS)},
		"a newer topic": {text: go1, topic: "fridge", want: credentials(govwifi.RecapSMS)},
		"a loop":        {text: own, topic: govwifi.TopicCredentials},
		"a bot":         {text: go1, topic: govwifi.TopicCredentials, guard: guard{repeats: true}},
		"no number":     {text: broken, topic: govwifi.TopicCredentials, fails: true, permanent: true},
		"Redis away":    {text: go1, topic: govwifi.TopicCredentials, guard: guard{err: away}, fails: true},
		"MySQL away":    {text: go1, topic: govwifi.TopicCredentials, users: people{err: away}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			messages := &outbox{}
			answerer := TextAnswerer{Guard: c.guard, Users: &c.users, Messages: messages, Log: quiet()}
			var err error
			if c.topic == govwifi.TopicCredentials {
				err = SignupSMSHandler{answerer}.Handle(t.Context(), SignupSMS{c.text})
			} else {
				err = HelpSMSHandler{answerer}.Handle(t.Context(), HelpSMS{Text: c.text, Topic: c.topic})
			}
			if (err != nil) != c.fails || IsPermanent(err) != c.permanent {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(c.want, messages.sent); diff != "" {
				t.Error(diff)
			}
			if made := len(c.users.made); made != len(c.want) {
				t.Errorf("made %d users", made)
			}
		})
	}
}

func TestForText(t *testing.T) {
	t.Parallel()
	if j, ok := ForText(Text{Text: "go"}).(SignupSMS); !ok {
		t.Errorf("%T", j)
	}
	if j, ok := ForText(Text{Text: "help"}).(HelpSMS); !ok || j.Topic != govwifi.TopicMenu {
		t.Errorf("%+v", j)
	}
}
