package sandbox

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// ask sends a request to the console and returns its answer.
func ask(t *testing.T, s *Sandbox, method, path, body string, header ...string) (status int, h http.Header, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.Console+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	if host := request.Header.Get("Host"); host != "" {
		request.Host = host
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(raw)
}

// Without JavaScript forms are posted and answered with the page.
func TestWithoutScript(t *testing.T) {
	t.Parallel()
	s := start(t)
	for path, form := range map[string]url.Values{
		"/text": {"phone": {"07700 900123"}, "text": {"Go"}},
		"/mail": {"from": {"jo@dept.gov.uk"}, "to": {"signup@wifi.service.gov.uk"}, "text": {""}},
	} {
		if status, _, text := ask(t, s, "POST", path, form.Encode()); status != 200 || !strings.Contains(text, "answered its webhook with 200") {
			t.Fatalf("%s: %d %s", path, status, text)
		}
	}
	if _, err := s.Notify.Wait(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/?phone=%2B447700900123&from=jo%40dept.gov.uk": "Choose GovWifi in your wifi settings",
		"/?from=jo%40dept.gov.uk":                       "Welcome to GovWifi",
		"/people":                                       "j***@d***.gov.uk",
		"/asynqmon/":                                    "Asynq",
	} {
		if status, _, text := ask(t, s, "GET", path, ""); status != 200 || !strings.Contains(text, want) {
			t.Errorf("%s: %d, no %q", path, status, want)
		}
	}
}

// What nobody could have sent is refused with what to do, and nothing is posted. What is
// a number to somebody may be tried.
func TestFormsRefuse(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, c := range []struct{ path, form, want string }{
		{"/text", "phone=&text=Go", "Enter a phone number"},
		{"/text", "phone=abc&text=Go", "Enter a phone number"},
		{"/mail", "from=&to=signup@wifi.service.gov.uk", "Enter an email address in the correct format"},
		{"/mail", "to=signup@wifi.service.gov.uk", "Enter an email address in the correct format"},
	} {
		if status, _, text := ask(t, s, "POST", c.path, c.form); status != 422 || !strings.Contains(text, c.want) {
			t.Errorf("%s %s: %d, no %q", c.path, c.form, status, c.want)
		}
	}
	if letters := s.Post.Letters(); len(letters) != 0 {
		t.Errorf("posted all the same: %+v", letters)
	}
	for _, phone := range []string{"62226", "+49 151 23456789"} {
		if status, _, text := ask(t, s, "POST", "/text", url.Values{"phone": {phone}, "text": {"Go"}}.Encode()); status != 200 || !strings.Contains(text, "Text sent") {
			t.Errorf("%s: %d", phone, status)
		}
	}
}

// upload posts the mail form with a file and an empty From.
func upload(t *testing.T, s *Sandbox, eml string) (status int, text string) {
	t.Helper()
	part := "--b\r\nContent-Disposition: form-data; name="
	status, _, text = ask(t, s, "POST", "/mail", part+"from\r\n\r\n\r\n"+part+"to\r\n\r\nsignup@wifi.service.gov.uk\r\n"+
		part+"eml; filename=a.eml\r\n\r\n"+eml+"\r\n--b--\r\n", "Content-Type", "multipart/form-data; boundary=b")
	return status, text
}

// An .eml brings its own From; the field may be empty.
func TestUploadNeedsNoFrom(t *testing.T) {
	t.Parallel()
	s := start(t)
	status, text := upload(t, s, "From: Alex <alex@council.gov.uk>\r\nTo: signup@wifi.service.gov.uk\r\n\r\nhello\r\n")
	if letters := s.Post.Letters(); status != 200 || len(letters) != 1 || letters[0].From != "Alex <alex@council.gov.uk>" {
		t.Errorf("%d %+v\n%s", status, letters, text)
	}
}

// Whoever's webhook is refused reads why, and the limit is ingest's own.
func TestRefusalsSayWhy(t *testing.T) {
	t.Parallel()
	s := start(t)
	for size, want := range map[int]string{
		511 << 10: "answered its webhook with 200",
		513 << 10: "answered the webhook with 413. It is longer than a webhook may be, which is 512 KiB: send something shorter.",
	} {
		if status, _, text := ask(t, s, "POST", "/text", url.Values{"phone": {"07700 900123"}, "text": {strings.Repeat("a", size)}}.Encode()); status != 200 || !strings.Contains(text, want) {
			t.Errorf("a text of %d bytes: %d, no %q", size, status, want)
		}
	}
	if _, text := upload(t, s, "From: nobody\r\nTo: signup@wifi.service.gov.uk\r\n\r\nhello\r\n"); !strings.Contains(text, "webhook with 400. It cannot tell who wrote") {
		t.Errorf("a mail from nobody: %s", text)
	}
	for status, want := range map[string]string{"503": "A real sender tries again later", "403": "send the mail anew", "500": "webhook with 500.<"} {
		if _, _, text := ask(t, s, "GET", "/?done=again&status="+status, ""); !strings.Contains(text, want) {
			t.Errorf("%s: no %q", status, want)
		}
	}
}

// The page is this machine's own: no other site posts to it, frames it or runs a script in
// it, and no other name leads to it.
func TestConsoleIsGuarded(t *testing.T) {
	t.Parallel()
	s := start(t)
	if status, _, _ := ask(t, s, "POST", "/text", "phone=1&text=2", "Sec-Fetch-Site", "cross-site"); status != http.StatusForbidden {
		t.Errorf("another site may post: %d", status)
	}
	if status, _, _ := ask(t, s, "GET", "/", "", "Host", "rebound.example:8081"); status != http.StatusMisdirectedRequest {
		t.Errorf("another name leads here: %d", status)
	}
	_, header, text := ask(t, s, "GET", "/?phone=%3Cscript%3Ealert(1)%3C/script%3E&done=%3Cb%3E&status=%3Cb%3E", "")
	if strings.Contains(text, "<script>alert") || strings.Contains(text, "<b>") {
		t.Errorf("what is in the address is in the page as it is:\n%s", text)
	}
	policy := header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "form-action 'self'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy %q has no %s", policy, want)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(text, " style=") || strings.Contains(text, " onclick=") {
		t.Error("the page has scripts or styles of its own")
	}
	for _, address := range []string{s.Console, s.World.Ingest, "http://" + s.Mail, s.Notify.URL(), s.s3.URL} {
		if !strings.HasPrefix(address, "http://127.0.0.1:") {
			t.Errorf("%s is not on loopback", address)
		}
	}
}

// The tour leads an open page through every journey.
func TestTour(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var out strings.Builder
	toured := make(chan error, 1)
	go func() { toured <- s.Tour(ctx, &out, 500*time.Millisecond) }()
	b := visit(t, "desktop", s.Console)
	b.shows("#caption", "Jo, who works in a department")
	b.shows("#inbox", "Welcome to GovWifi")
	b.shows("#caption", "A visitor texts")
	b.shows("#chat", "Username:")
	b.shows("#caption", "Jo mails a list of guests")
	b.shows("#inbox", "3 GovWifi accounts have been created")
	if err := <-toured; err != nil || !strings.Contains(out.String(), "The tour is over") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// The picture in the README, made anew with UPDATE_PICTURE=1. It is part of a page in use,
// which is checked in any case.
func TestPicture(t *testing.T) {
	t.Parallel()
	s := start(t)
	if err := s.Demo(t.Context(), io.Discard); err != nil {
		t.Fatal(err)
	}
	b := visit(t, "desktop", s.Console)
	b.do("look at a smaller window", chromedp.EmulateViewport(1280, 900))
	b.shows("#events", "sponsor-receipt")
	b.accessible("picture")
	if os.Getenv("UPDATE_PICTURE") != "1" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("../../docs/console.png", png, 0o644); err != nil {
		t.Fatal(err)
	}
}

// While GOV.UK Notify is slow the page says so, and the message arrives.
func TestNotifyIsSlow(t *testing.T) {
	t.Parallel()
	atWidths(t, func(s *Sandbox, b *tab) {
		b.flip("notify-slow")
		b.pressed("notify-slow")
		b.click(`button[value="Go"]`)
		b.shows("#events", "At work")
		b.count("waiting", "1", patience)
		b.shows("#chat", "Username:")
		b.intact()
		b.flip("notify-well")
		b.pressed("notify-well")
	})
}

// A sender who repeats themselves is not answered, which is no loss: the way says why.
func TestRepeatsAreSettled(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := visit(t, "desktop", s.Console)
	for _, acknowledged := range []string{"1", "2", "3"} {
		b.click(`button[value="Go"]`)
		b.count("acknowledged", acknowledged, patience)
	}
	b.count("sent", "2", patience)
	b.count("unneeded", "1", patience)
	b.shows("#events", "A sender who repeats themselves is not answered")
	b.intact()
}
