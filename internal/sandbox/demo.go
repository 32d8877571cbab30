package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/notify/notifytest"
	"github.com/govwifi/user-signup/internal/outside"
	"github.com/govwifi/user-signup/internal/sandbox/post"
)

// demoTimeout is how long the demo waits for all messages of one journey.
const demoTimeout = 30 * time.Second

// journey is one thing that a person does, and who must hear from us because of it.
type journey struct {
	title string
	// phone and mailbox are the person's.
	phone, mailbox string
	send           func(context.Context, *post.Office) (post.Letter, error)
	wants          []expected
}

// expected is a message that must arrive.
type expected struct {
	to       govwifi.Contact
	template govwifi.Template
}

const (
	jo      = "Jo Smith <jo.smith@dept.gov.uk>"
	visitor = "07700 900123"
)

func journeys() []journey {
	return []journey{
		{"Jo, who works in a department, mails signup@", visitor, jo, mailed("signup@wifi.service.gov.uk", "wifi", ""),
			[]expected{{"jo.smith@dept.gov.uk", govwifi.SelfSignupCredentialsEmail}}},
		{"A visitor texts “Go”", visitor, jo, texted(visitor, "Go"),
			[]expected{{"+447700900123", govwifi.CredentialsSMS}}},
		{"Another cannot get a laptop to work and texts “Windows 11”", "07700 900456", jo, texted("07700 900456", "Windows 11"),
			[]expected{{"+447700900456", govwifi.DeviceHelpWindowsSMS}}},
		{"Jo mails a list of guests to sponsor@", visitor, jo, mailed("sponsor@wifi.service.gov.uk", "Guests on Monday",
			"Please let these people in:\r\n\r\n  ada@example.com\r\n  Grace <grace@example.org>\r\n  07700 900789\r\n\r\n-- \r\nJo Smith, jo.smith@dept.gov.uk"),
			[]expected{
				{"ada@example.com", govwifi.SponsorCredentialsEmail},
				{"grace@example.org", govwifi.SponsorCredentialsEmail},
				{"+447700900789", govwifi.CredentialsSMS},
				{"jo.smith@dept.gov.uk", govwifi.SponsorConfirmationPlural},
			}},
	}
}

func texted(from, text string) func(context.Context, *post.Office) (post.Letter, error) {
	return func(ctx context.Context, o *post.Office) (post.Letter, error) { return o.Text(ctx, from, text) }
}

func mailed(to, subject, text string) func(context.Context, *post.Office) (post.Letter, error) {
	return func(ctx context.Context, o *post.Office) (post.Letter, error) {
		return o.Mail(ctx, outside.PlainMail(jo, to, subject, text), jo, []string{to})
	}
}

// ErrMissing says that somebody did not get their message.
var ErrMissing = errors.New("not every message arrived")

// Demo plays each journey through the running service and prints what each person
// received. It returns ErrMissing, naming who got nothing, unless all arrived.
func (s *Sandbox) Demo(ctx context.Context, out io.Writer) error {
	for _, j := range journeys() {
		printf(out, "\n▶ %s\n", j.title)
		started := time.Now()
		letter, err := j.send(ctx, s.Post)
		if err != nil {
			return err
		}
		printf(out, "  the webhook was answered with %d after %s\n", letter.Status, time.Since(started).Round(100*time.Microsecond))
		if err := s.await(ctx, j.wants, started, out); err != nil {
			return err
		}
	}
	printf(out, "\nEvery message arrived.\n")
	return nil
}

// await prints the messages once all that are wanted have arrived.
func (s *Sandbox) await(ctx context.Context, wants []expected, started time.Time, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	for n := len(s.Notify.Accepted()); ; n++ {
		missing := s.missing(wants)
		if len(missing) == 0 {
			s.print(wants, started, out)
			return nil
		}
		if _, err := s.Notify.Wait(ctx, n+1); err != nil {
			return fmt.Errorf("%w: %s to %s", ErrMissing, missing[0].template, missing[0].to)
		}
	}
}

func (s *Sandbox) missing(wants []expected) []expected {
	var missing []expected
	for _, want := range wants {
		if _, ok := s.find(want); !ok {
			missing = append(missing, want)
		}
	}
	return missing
}

// find looks for the message among all that were accepted.
func (s *Sandbox) find(want expected) (notifytest.Accepted, bool) {
	for _, m := range s.Notify.Accepted() {
		if m.Template == want.template && govwifi.Contact(m.To).Equal(want.to) {
			return m, true
		}
	}
	return notifytest.Accepted{}, false
}

func (s *Sandbox) print(wants []expected, started time.Time, out io.Writer) {
	for _, want := range wants {
		m, _ := s.find(want)
		printf(out, "  ✔ %s received after %s:\n", m.To, m.At.Sub(started).Round(time.Millisecond))
		text := strings.TrimSpace(m.Subject + "\n" + m.Body)
		for line := range strings.Lines(text) {
			printf(out, "      %s\n", strings.TrimRight(line, "\r\n"))
		}
	}
}

func printf(out io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(out, format, args...) }
