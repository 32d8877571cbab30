package standins

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/notify/notifytest"
	"github.com/govwifi/user-signup/internal/outside"
	"github.com/govwifi/user-signup/internal/sns"
)

// door is an ingest that only notes what it gets.
type door struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
}

func newDoor(t *testing.T) *door {
	d := &door{}
	d.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.requests, d.bodies = append(d.requests, r), append(d.bodies, string(body))
	}))
	t.Cleanup(d.Close)
	return d
}

func awsConfig(t *testing.T, ingest string) AWSConfig {
	return AWSConfig{Ingest: ingest, IdentityDir: t.TempDir(), Bucket: "admin", Key: "allowlist.conf", AllowList: "^x$", Buckets: []string{"metrics"}}
}

// form posts a form to a handler and returns where it redirects to.
func form(h http.Handler, path string, values url.Values) string {
	request := httptest.NewRequest(http.MethodPost, path, strings.NewReader(values.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, request)
	return answer.Header().Get("Location")
}

// A mail is announced by an SNS message that a service which pins the certificate
// file accepts, also after the stand-in was started again.
func TestMailIsSigned(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	config := awsConfig(t, d.URL)
	for range 2 {
		office, err := newPostOffice(config)
		if err != nil {
			t.Fatal(err)
		}
		to := form(office.handler(), "/mail", url.Values{"from": {"jo@dept.gov.uk"}, "to": {"signup@wifi.service.gov.uk"}})
		if to != "/?status=200" {
			t.Fatalf("redirected to %q", to)
		}
		if o, _ := office.s3.Get("admin", "allowlist.conf"); string(o.Body) != "^x$" {
			t.Errorf("the allow-list is %q", o.Body)
		}
		if !office.s3.HasBucket("metrics") {
			t.Error("a bucket that was asked for is not there")
		}
	}
	text, err := os.ReadFile(filepath.Join(config.IdentityDir, outside.CertificateFile))
	if err != nil {
		t.Fatal(err)
	}
	certificate, _, err := sns.ParseCertificate(text)
	if err != nil {
		t.Fatal(err)
	}
	verifier := sns.NewVerifier(sns.VerifierConfig{Topics: []string{outside.Topic}, PinnedCertificate: certificate, Now: time.Now})
	for _, body := range d.bodies {
		envelope, err := sns.Parse([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if err := verifier.Verify(t.Context(), envelope); err != nil {
			t.Error(err)
		}
	}
	if len(d.bodies) != 2 {
		t.Errorf("%d mails were announced", len(d.bodies))
	}
}

// Half an identity is a fault, not a reason to make a new one that nobody pins.
func TestBrokenIdentity(t *testing.T) {
	t.Parallel()
	config := awsConfig(t, "http://nobody")
	if _, err := newPostOffice(config); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sns.key", "sns.pem"} {
		if err := os.WriteFile(filepath.Join(config.IdentityDir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := newPostOffice(config); err == nil {
			t.Errorf("a broken %s is accepted", name)
		}
	}
}

// A text is delivered with Notify's token, and the page shows what was received.
func TestTexts(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	p := newPhones(NotifyConfig{Key: notifytest.DefaultKey, Ingest: d.URL, Token: "a-token"})
	if to := form(p.handler(), "/text", url.Values{"from": {"447700900123"}, "text": {"Go"}}); to != "/?status=200" {
		t.Fatalf("redirected to %q", to)
	}
	if got := d.requests[0].Header.Get("Authorization"); got != "Bearer a-token" || !strings.Contains(d.bodies[0], `"message":"Go"`) {
		t.Errorf("%q %s", got, d.bodies[0])
	}
	answer := httptest.NewRecorder()
	p.handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/?status=200", nil))
	if page := answer.Body.String(); !strings.Contains(page, "<strong>200</strong>") || !strings.Contains(page, "Nothing yet.") {
		t.Errorf("the page:\n%s", page)
	}
	d.Close()
	if to := form(p.handler(), "/text", url.Values{"from": {"447700900123"}, "text": {"Go"}}); to != "" {
		t.Errorf("with ingest away it redirects to %s", to)
	}
}

// town is both stand-ins and a service that answers everybody but the forgotten.
func town(t *testing.T, forgotten govwifi.Template) SmokeConfig {
	var mu sync.Mutex
	var all []notifytest.Accepted
	mux := http.NewServeMux()
	templates := slices.DeleteFunc([]govwifi.Template{govwifi.SelfSignupCredentialsEmail, govwifi.CredentialsSMS, govwifi.DeviceHelpWindowsSMS,
		govwifi.SponsorCredentialsEmail, govwifi.SponsorConfirmationPlural}, func(t govwifi.Template) bool { return t == forgotten })
	answer := func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		for _, word := range strings.Fields(r.FormValue("from") + " +" + r.FormValue("from") + " " + r.FormValue("text")) {
			for _, template := range templates {
				all = append(all, notifytest.Accepted{To: strings.Trim(word, "<>"), Template: template, Body: "hello", At: time.Now()})
			}
		}
		w.Header().Set("Location", "/?status=200")
		w.WriteHeader(http.StatusSeeOther)
	}
	mux.HandleFunc("POST /mail", answer)
	mux.HandleFunc("POST /text", answer)
	mux.HandleFunc("GET /messages", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		have := slices.Clone(all)
		mu.Unlock()
		if r.FormValue("after") == strconv.Itoa(len(have)) {
			<-r.Context().Done() // there will be no more
			return
		}
		_ = json.NewEncoder(w).Encode(have)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return SmokeConfig{Notify: server.URL, Mail: server.URL}
}

// It prints what each person received, and every kind of webhook is in it.
func TestSmoke(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := Smoke(t.Context(), town(t, ""), &out); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "hello"); n != 6 || strings.Count(out.String(), "answered with 200") != 4 {
		t.Errorf("%d messages:\n%s", n, &out)
	}
}

// It is a check: it fails when somebody gets nothing.
func TestSmokeFails(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := Smoke(ctx, town(t, govwifi.DeviceHelpWindowsSMS), io.Discard); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "windows") {
		t.Errorf("somebody got nothing: %v", err)
	}
	if err := Smoke(t.Context(), SmokeConfig{Notify: "http://127.0.0.1:1", Mail: "http://127.0.0.1:1"}, &bytes.Buffer{}); err == nil || errors.Is(err, ErrMissing) {
		t.Errorf("there is no stack: %v", err)
	}
}
