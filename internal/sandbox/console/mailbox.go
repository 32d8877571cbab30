package console

import (
	"slices"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/notify/notifytest"
	"github.com/govwifi/user-signup/internal/sandbox/post"
)

// mailbox is one person's mail, newest first, and the others that there are.
type mailbox struct {
	// Name is the address alone.
	Name   string
	Others []other
	Mails  []bubble
}

// Unread counts the mails that came in.
func (m mailbox) Received() (n int) {
	for _, mail := range m.Mails {
		if !mail.Mine {
			n++
		}
	}
	return n
}

// mailbox gathers the mails of an address.
func (c *Console) mailbox(from string, letters []post.Letter, accepted []notifytest.Accepted) mailbox {
	own := sameContact(from)
	m := mailbox{Name: addressOf(from)}
	received := map[string]int{}
	for _, l := range letters {
		if l.IsText() {
			continue
		}
		received[addressOf(l.From)] += 0
		if own(l.From) {
			m.Mails = append(m.Mails, bubble{ID: l.Trace, At: l.At, Mine: true, To: joined(l.To), Subject: l.Subject, Text: l.Text, Status: l.Status})
		}
	}
	for _, message := range accepted {
		if !message.Template.IsEmail() {
			continue
		}
		received[addressOf(message.To)]++
		if own(message.To) {
			m.Mails = append(m.Mails, c.received(message))
		}
	}
	slices.SortStableFunc(m.Mails, func(a, b bubble) int { return b.At.Compare(a.At) })
	m.Others = others(received, m.Name, func(name string) string {
		return choice{Phone: defaultPhone, From: name}.path() + "#mailbox"
	})
	return m
}

// addressOf is the address in a From header, or the text itself if there is none.
func addressOf(from string) string {
	address, err := govwifi.ParseEmail(from)
	if err != nil {
		return from
	}
	return string(address)
}

func joined(to []string) string {
	text := ""
	for i, address := range to {
		if i > 0 {
			text += ", "
		}
		text += address
	}
	return text
}
