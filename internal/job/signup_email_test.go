package job

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/govwifi/user-signup/internal/govwifi"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// list allows what ends like it.
type list string

func (l list) Allows(_ context.Context, c govwifi.Contact) (bool, error) {
	if l == "away" {
		return false, errors.New("S3 is away")
	}
	return strings.HasSuffix(string(c), string(l)), nil
}

// people is a database of users.
type people struct {
	known map[govwifi.Contact]govwifi.User
	err   error
	made  []govwifi.Contact
}

func (p *people) Find(_ context.Context, c govwifi.Contact) (govwifi.User, error) {
	if p.err != nil {
		return govwifi.User{}, p.err
	}
	if u, ok := p.known[c]; ok {
		return u, nil
	}
	return govwifi.User{}, govwifi.ErrNotFound
}

func (p *people) FindOrCreate(ctx context.Context, c, sponsor govwifi.Contact) (govwifi.User, error) {
	u, err := p.Find(ctx, c)
	if errors.Is(err, govwifi.ErrNotFound) {
		p.made = append(p.made, c)
		return govwifi.User{Username: "newone", Password: "FreshNewPass", Contact: c, Sponsor: sponsor, CreatedAt: now}, nil
	}
	return u, err
}

// outbox keeps what was sent.
type outbox struct {
	sent []govwifi.Message
	err  error
	// before says that an earlier delivery sent the message.
	before bool
}

func (o *outbox) Sent(context.Context, string) (bool, error) { return o.before, nil }

func (o *outbox) Send(_ context.Context, m govwifi.Message) error {
	o.sent = append(o.sent, m)
	return o.err
}

func guest(lastActivity time.Time) govwifi.User {
	return govwifi.User{Username: "bcdfgh", Password: "OneTwoThree", Contact: "guest@example.com", Sponsor: "jo@dept.gov.uk", LastLogin: lastActivity, CreatedAt: now.AddDate(-1, 0, 0)}
}

// Each row of docs/rules.md, Email sign-up.
func TestSignupEmail(t *testing.T) {
	t.Parallel()
	if govwifi.GuestLifetime != 90*24*time.Hour {
		t.Errorf("guests are reminded for %s", govwifi.GuestLifetime)
	}
	old := guest(time.Time{})
	old.CreatedAt = now.Add(-govwifi.GuestLifetime - time.Second)
	young := guest(time.Time{})
	young.CreatedAt = now.Add(-govwifi.GuestLifetime)
	for name, c := range map[string]struct {
		from  string
		known map[govwifi.Contact]govwifi.User
		want  govwifi.Message
		made  int
	}{
		"allowed, new": {"Jo <jo@dept.gov.uk>", nil, govwifi.Message{Template: govwifi.SelfSignupCredentialsEmail, To: "jo@dept.gov.uk",
			Personalisation: map[string]string{"username": "newone", "password": "FreshNewPass"}}, 1},
		"allowed, known": {"jo@dept.gov.uk", map[govwifi.Contact]govwifi.User{"jo@dept.gov.uk": {Username: "bcdfgh", Password: "OneTwoThree"}},
			govwifi.Message{Template: govwifi.SelfSignupCredentialsEmail, To: "jo@dept.gov.uk",
				Personalisation: map[string]string{"username": "bcdfgh", "password": "OneTwoThree"}}, 0},
		"not allowed, nobody": {"x@example.com", nil, govwifi.Message{Template: govwifi.RejectedEmailAddressEmail, To: "x@example.com"}, 0},
		"guest of 90 days": {"guest@example.com", map[govwifi.Contact]govwifi.User{"guest@example.com": guest(now.Add(-govwifi.GuestLifetime))},
			govwifi.Message{Template: govwifi.SelfSignupCredentialsEmail, To: "guest@example.com",
				Personalisation: map[string]string{"username": "bcdfgh", "password": "OneTwoThree"}}, 0},
		"guest of 90 days and a second": {"guest@example.com", map[govwifi.Contact]govwifi.User{"guest@example.com": guest(now.Add(-govwifi.GuestLifetime - time.Second))},
			govwifi.Message{Template: govwifi.SponsorCredentialsExpired, To: "guest@example.com"}, 0},
		"guest who never logged in, in time": {"guest@example.com", map[govwifi.Contact]govwifi.User{"guest@example.com": young},
			govwifi.Message{Template: govwifi.SelfSignupCredentialsEmail, To: "guest@example.com",
				Personalisation: map[string]string{"username": "bcdfgh", "password": "OneTwoThree"}}, 0},
		"guest who never logged in, too late": {"guest@example.com", map[govwifi.Contact]govwifi.User{"guest@example.com": old},
			govwifi.Message{Template: govwifi.SponsorCredentialsExpired, To: "guest@example.com"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			users, messages := &people{known: c.known}, &outbox{}
			h := SignupEmailHandler{AllowList: list("gov.uk"), Users: users, Messages: messages, Judge: strict(), Now: func() time.Time { return now }}
			if err := h.Handle(t.Context(), SignupEmail{MessageID: "ses1", From: c.from}); err != nil {
				t.Fatal(err)
			}
			c.want.Reference, c.want.ReplyTo = "ses1", govwifi.DoNotReply
			if diff := cmp.Diff([]govwifi.Message{c.want}, messages.sent); diff != "" || len(users.made) != c.made {
				t.Errorf("made %v\n%s", users.made, diff)
			}
		})
	}
}

func TestSignupEmailTrouble(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	for name, c := range map[string]struct {
		allow     list
		users     people
		mail      SignupEmail
		permanent bool
	}{
		"S3 away":             {"away", people{}, SignupEmail{From: "jo@dept.gov.uk"}, false},
		"MySQL away, allowed": {"gov.uk", people{err: away}, SignupEmail{From: "jo@dept.gov.uk"}, false},
		"MySQL away, not":     {"gov.uk", people{err: away}, SignupEmail{From: "jo@example.com"}, false},
		"contact too long":    {"gov.uk", people{err: govwifi.ErrContactTooLong}, SignupEmail{From: "jo@dept.gov.uk"}, true},
		"no address":          {"gov.uk", people{}, SignupEmail{From: "nobody"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			messages := &outbox{}
			h := SignupEmailHandler{AllowList: c.allow, Users: &c.users, Messages: messages, Judge: strict(), Now: time.Now}
			err := h.Handle(t.Context(), c.mail)
			if err == nil || IsPermanent(err) != c.permanent || len(messages.sent) != 0 {
				t.Errorf("error %v, permanent %v, sent %v", err, IsPermanent(err), messages.sent)
			}
		})
	}
}

// strict refuses doubtful mails and counts nowhere.
func strict() Judge {
	return Judge{EnforceVerdicts, quiet(), func(string, govwifi.Refusal) {}}
}

// A refused mail is counted with its reason; what is only logged is not.
func TestDoubtfulMail(t *testing.T) {
	t.Parallel()
	spam := SignupEmail{MessageID: "ses1", From: "jo@dept.gov.uk", Verdicts: govwifi.Verdicts{Spam: "FAIL"}}
	for policy, want := range map[VerdictPolicy]struct {
		sent    int
		refused []string
		log     string
	}{
		EnforceVerdicts: {0, []string{"signup-email: SES calls it spam"}, `msg="a mail is refused" reason="SES calls it spam" key=ses1`},
		LogVerdicts:     {1, nil, `would be refused`},
		IgnoreVerdicts:  {1, nil, ""},
	} {
		messages, users := &outbox{}, &people{}
		var refused []string
		var log bytes.Buffer
		h := SignupEmailHandler{AllowList: list("gov.uk"), Users: users, Messages: messages, Now: time.Now,
			Judge: Judge{policy, slog.New(slog.NewTextHandler(&log, nil)), func(job string, why govwifi.Refusal) { refused = append(refused, job+": "+string(why)) }}}
		if err := h.Handle(t.Context(), spam); err != nil || len(messages.sent) != want.sent || len(users.made) != want.sent {
			t.Errorf("%s: error %v, sent %v, made %v", policy, err, messages.sent, users.made)
		}
		if diff := cmp.Diff(want.refused, refused); diff != "" || !strings.Contains(log.String(), want.log) || (want.log == "") != (log.Len() == 0) {
			t.Errorf("%s: %s\nlog: %s", policy, diff, &log)
		}
	}
}
