package sandbox

import (
	"fmt"
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// atWidths makes a journey at both widths, on a sandbox of its own each time.
func atWidths(t *testing.T, journey func(s *Sandbox, b *tab)) {
	for width := range widths {
		t.Run(width, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			journey(s, visit(t, width, s.Console))
		})
	}
}

// A visitor texts the service from the page, and joins the wifi with what arrives.
func TestPhoneJourney(t *testing.T) {
	t.Parallel()
	atWidths(t, func(s *Sandbox, b *tab) {
		b.shows("#chat", "No texts yet")
		b.picture("empty")
		b.click(`button[value="Go"]`)
		b.shows("#chat", "Username:")
		b.shows("#told", "answered its webhook with 200")
		for _, step := range []string{"Webhook accepted", "Queued", "Taken by the worker", "User created", "Notify accepted", "Done"} {
			b.shows("#events", step)
		}
		b.shows("#count-sent", "1")
		b.click("#chat .join button")
		b.shows("#chat .verdict", "Yes")
		b.fill("#phone-text", "iphone 12")
		b.click("#phone form[action='/text'] button:not([name])")
		b.shows("#chat", "On iPhone and iPad")
		b.shows("#events", "User found")
		b.picture("answered")
		if shown := b.text("#ways"); strings.Contains(shown, "7700 900123") || strings.Contains(shown, "7700900123") {
			b.t.Errorf("the way of a message shows the number:\n%s", shown)
		}
		// Another phone has a conversation of its own, and by keyboard alone.
		b.fill("#phone-number", "07700 900456")
		b.do("send by keyboard", chromedp.SendKeys(chromedp.CSS("#phone-text"), "help"+kb.Tab+kb.Enter))
		b.shows("#chat", "Which device do you want to connect")
		b.shows("#chat-name", "07700 900456")
		b.shows("#other-phones", "07700 900123 (2 received)")
		b.follow("#other-phones a")
		b.shows("#chat", "On iPhone and iPad")
	})
}

// A member of staff signs up by mail, and then sponsors guests; a mail that was saved as a
// file does as well.
func TestMailboxJourney(t *testing.T) {
	t.Parallel()
	atWidths(t, func(s *Sandbox, b *tab) {
		b.click("#mailbox button:not([name])")
		b.shows("#inbox", "Welcome to GovWifi")
		b.shows("#inbox .prose h4", "Your GovWifi account")
		b.click("#inbox .join button")
		b.shows("#inbox .verdict", "Yes")
		b.fill("#mail-to", "sponsor@wifi.service.gov.uk")
		b.fill("#mail-subject", "Guests on Monday")
		b.do("write a list", chromedp.SetValue(chromedp.CSS("#mail-text"), "ada@example.com\nGrace <grace@example.org>\n07700 900789"))
		b.click("#mailbox form[action='/mail'] button")
		b.shows("#inbox", "3 GovWifi accounts have been created for your guests")
		b.shows("#count-sent", "5")
		b.shows("#other-mailboxes", "ada@example.com (1 received)")
		b.shows("#other-phones", "07700 900789 (1 received)")
		b.shows("#events", "sponsor-receipt")
		b.picture("sponsored")

		file := filepath.Join(b.t.TempDir(), "guests.eml")
		eml := "From: Alex <alex@council.gov.uk>\r\nTo: sponsor@wifi.service.gov.uk\r\nSubject: One guest\r\nMIME-Version: 1.0\r\n" +
			"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
			"YWxpY2VAZXhhbXBsZS5jb20=\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>alice@example.com\r\n--b--\r\n"
		if err := os.WriteFile(file, []byte(eml), 0o600); err != nil {
			b.t.Fatal(err)
		}
		b.do("attach a mail", chromedp.SetUploadFiles(chromedp.CSS("#mail-eml"), []string{file}))
		b.click("#mailbox form[action='/mail'] button")
		b.shows("#inbox-name", "alex@council.gov.uk")
		b.shows("#inbox", "A GovWifi account has been created for your guest")
		b.shows("#other-mailboxes", "alice@example.com (1 received)")
		b.do("open the mail that was sent", chromedp.Evaluate[chromedp.Void]("document.querySelectorAll('#inbox details').forEach((d) => { d.open = true })"))
		b.shows("#inbox", "alice@example.com")
	})
}

// A list of fifty guests leaves the mailbox and its form where they were, and is in the
// order of people, who count 2 before 10.
func TestManyGuests(t *testing.T) {
	t.Parallel()
	atWidths(t, func(s *Sandbox, b *tab) {
		var guests strings.Builder
		for i := range 50 {
			_, _ = fmt.Fprintf(&guests, "guest%d.with-a-long-name@a-long-domain-of-a-supplier.example.com\n", i+1)
		}
		if _, err := mailed("sponsor@wifi.service.gov.uk", "Guests", guests.String())(b.t.Context(), s.Post); err != nil {
			b.t.Fatal(err)
		}
		b.shows("#inbox", "50 GovWifi accounts have been created")
		b.waitFor("all mailboxes", "document.querySelectorAll('#other-mailboxes li').length === 50", patience)
		if high := evaluate[float64](b, "document.getElementById('other-mailboxes').getBoundingClientRect().height"); high > 200 {
			b.t.Errorf("the list of mailboxes is %.0f px high", high)
		}
		names := evaluate[[]string](b, "[...document.querySelectorAll('#other-mailboxes li')].map((li) => li.innerText.split('.')[0])")
		for i, name := range names {
			if want := fmt.Sprint("guest", i+1); name != want {
				b.t.Fatalf("mailbox %d is %s: %v", i+1, name, names)
			}
		}
		b.accessible("many guests")
		b.tabs("many guests")
		b.picture("many-guests")
	})
}

// Any mail program can write to the service.
func TestMailBySMTP(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := visit(t, "desktop", s.Console)
	mail := "From: Jo Smith <jo.smith@dept.gov.uk>\r\nTo: signup@wifi.service.gov.uk\r\nSubject: by SMTP\r\n\r\nhello\r\n"
	if err := smtp.SendMail(s.Mail, nil, "jo.smith@dept.gov.uk", []string{"signup@wifi.service.gov.uk"}, []byte(mail)); err != nil {
		t.Fatal(err)
	}
	b.shows("#inbox", "by SMTP")
	b.shows("#inbox", "Welcome to GovWifi")
	if err := smtp.SendMail(s.Mail, nil, "jo@dept.gov.uk", []string{"jo@elsewhere.example"}, []byte(mail)); err == nil || !strings.Contains(err.Error(), "signup@wifi.service.gov.uk") {
		t.Errorf("a mail for elsewhere: %v", err)
	}
}

// What is wrong with a form is said above it and beside the field, as the Design System
// has it, and what was typed stays.
func TestFormErrors(t *testing.T) {
	t.Parallel()
	atWidths(t, func(s *Sandbox, b *tab) {
		b.allow("422")
		b.fill("#mail-from", "nobody")
		b.fill("#mail-to", "signup")
		b.click("#mailbox form[action='/mail'] button")
		b.shows(".summary", "There is a problem")
		b.shows("#mail-from-error", "Enter an email address in the correct format")
		b.shows("#mail-to-error", "Enter one of the service’s addresses")
		b.waitFor("the focus to be on the summary", "document.activeElement.className === 'summary'", patience)
		if title := evaluate[string](b, "document.title"); !strings.HasPrefix(title, "Error: ") {
			b.t.Errorf("the title is %q", title)
		}
		b.accessible("with errors")
		b.picture("errors")
		b.click(".summary a")
		b.waitFor("the focus to be on the field", "document.activeElement.id === 'mail-from'", patience)
		b.fill("#mail-from", "Jo <jo@dept.gov.uk>")
		b.fill("#mail-to", "enrol@wifi.service.gov.uk")
		b.click("#mailbox form[action='/mail'] button")
		b.shows("#inbox", "Welcome to GovWifi")
		b.waitFor("the errors to be gone", "!document.querySelector('.summary, .error')", patience)
		b.fill("#wifi-username", "nobody")
		b.click("#proof form button")
		b.shows("#wifi-password-error", "Enter your password")
	})
}

// Credentials can be typed in: the username in any letter case, the password as it is.
func TestWifiCheck(t *testing.T) {
	t.Parallel()
	atWidths(t, func(s *Sandbox, b *tab) {
		b.click(`button[value="Go"]`)
		b.shows("#chat", "Username:")
		details := s.Notify.Accepted()[0].Personalisation
		b.fill("#wifi-username", strings.ToUpper(details["login"]))
		b.fill("#wifi-password", details["pass"])
		b.click("#proof form button")
		b.shows("#tried", "Yes")
		b.fill("#wifi-password", strings.ToLower(details["pass"]))
		b.click("#proof form button")
		b.shows("#tried", "No")
		b.do("open the people", chromedp.Navigate(s.Console+"/people"))
		b.shows("#people", details["login"])
		if shown := b.text("#people"); strings.Contains(shown, "never") || strings.Contains(shown, details["pass"]) || strings.Contains(shown, "7700900123") {
			b.t.Errorf("the login is not noted, or too much is shown:\n%s", shown)
		}
	})
}
