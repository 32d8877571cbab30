package console

import (
	"cmp"
	"html/template"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/notify/notifytest"
	"github.com/govwifi/user-signup/internal/sandbox/post"
)

// phone is one phone with its conversation, and the others that have one.
type phone struct {
	Name   string
	Others []other
	Chat   []bubble
}

// other is another phone or mailbox that can be picked up.
type other struct {
	Name, Path string
	// Received is how many messages arrived there.
	Received int
}

// bubble is a text on the phone, or a mail in the mailbox.
type bubble struct {
	// ID is the message's, for the page's script and the wifi's answer.
	ID      string
	At      time.Time
	Mine    bool
	To      string
	Subject string
	Text    string
	// HTML is the text of a mail as its template means it.
	HTML template.HTML
	// Status is what the webhook of one's own message was answered.
	Status int
	// Credentials says that there are some in it, and Joined what the wifi said.
	Credentials bool
	Joined      attempt
}

// phone gathers the texts of a number, in the order of time.
func (c *Console) phone(name string, letters []post.Letter, accepted []notifytest.Accepted) phone {
	own := sameContact(name)
	p := phone{Name: person(name)}
	received := map[string]int{}
	for _, l := range letters {
		if !l.IsText() {
			continue
		}
		received[person(l.From)] += 0
		if own(l.From) {
			p.Chat = append(p.Chat, bubble{ID: l.Trace, At: l.At, Mine: true, Text: l.Text, Status: l.Status})
		}
	}
	for _, m := range accepted {
		if m.Template.IsEmail() {
			continue
		}
		received[person(m.To)]++
		if own(m.To) {
			p.Chat = append(p.Chat, c.received(m))
		}
	}
	slices.SortStableFunc(p.Chat, func(a, b bubble) int { return a.At.Compare(b.At) })
	p.Others = others(received, p.Name, func(name string) string { return choice{Phone: name, From: ""}.phonePath() })
	return p
}

// phonePath leaves the mailbox as the page has it by default.
func (c choice) phonePath() string {
	return choice{Phone: c.Phone, From: defaultMailbox}.path() + "#phone"
}

// others are all names but one, the same each time: guest2 comes before guest10.
func others(received map[string]int, but string, path func(string) string) []other {
	var list []other
	for name, n := range received {
		if name != but {
			list = append(list, other{name, path(name), n})
		}
	}
	slices.SortFunc(list, func(a, b other) int {
		return cmp.Or(strings.Compare(evenly(a.Name), evenly(b.Name)), strings.Compare(a.Name, b.Name))
	})
	return list
}

var digits = regexp.MustCompile(`[0-9]+`)

// evenly writes each number in a name with as many digits, so that texts sort by value.
func evenly(name string) string {
	return digits.ReplaceAllStringFunc(name, func(n string) string { return strings.Repeat("0", max(0, 20-len(n))) + n })
}

// received is a message of the service.
func (c *Console) received(m notifytest.Accepted) bubble {
	_, _, credentials := credentialsIn(m)
	c.mu.Lock()
	defer c.mu.Unlock()
	return bubble{ID: m.ID, At: m.At, To: m.To, Subject: m.Subject, Text: m.Body, HTML: prose(m.Body), Credentials: credentials, Joined: c.joined[m.ID]}
}

// credentialsIn finds them as the service sent them.
func credentialsIn(m notifytest.Accepted) (username, password string, ok bool) {
	for _, names := range [][2]string{{"login", "pass"}, {"username", "password"}} {
		username, password = m.Personalisation[names[0]], m.Personalisation[names[1]]
		// A menu is sent with credentials that its template does not show.
		if username != "" && password != "" && strings.Contains(m.Body, password) {
			return username, password, true
		}
	}
	return "", "", false
}

// sameContact says whether a contact is the one that somebody typed, however written.
func sameContact(typed string) func(string) bool {
	number, err := govwifi.ParsePhone(typed)
	if err == nil {
		return func(other string) bool {
			parsed, err := govwifi.ParsePhone(other)
			return err == nil && parsed == number
		}
	}
	address, err := govwifi.ParseEmail(typed)
	return func(other string) bool {
		parsed, otherErr := govwifi.ParseEmail(other)
		return err == nil && otherErr == nil && parsed.Equal(address)
	}
}
