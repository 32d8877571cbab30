package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/notify/notifytest"
)

// listings counts how often the templates are listed.
func listings(server *notifytest.Server) *atomic.Int64 {
	var n atomic.Int64
	server.Play(func(r notifytest.Request) notifytest.Fault {
		if r.Endpoint == "templates" {
			n.Add(1)
		}
		return notifytest.Fault{}
	})
	return &n
}

func TestTemplateIDsAreLookedUpOnce(t *testing.T) {
	t.Parallel()
	now := newClock("2026-03-01T12:00:00Z")
	c, server := start(t, notifytest.Config{Now: now.Now})
	count := listings(server)
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			if err := errors.Join(c.Send(t.Context(), aText("")), c.Send(t.Context(), anEmail(""))); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	now.Add(refreshPause)
	if err := c.Send(t.Context(), aText("")); err != nil {
		t.Error(err)
	}
	if n := count.Load(); n != 1 {
		t.Errorf("%d listings", n)
	}
}

func TestRecreatedTemplatesAreFound(t *testing.T) {
	t.Parallel()
	now := newClock("2026-03-01T12:00:00Z")
	c, server := start(t, notifytest.Config{Now: now.Now})
	for range 3 {
		if err := c.Send(t.Context(), aText("")); err != nil {
			t.Fatal(err)
		}
		server.ResetTemplates()
		now.Add(refreshPause)
	}
	if got := len(server.Accepted()); got != 3 {
		t.Errorf("%d accepted", got)
	}
}

func TestAMissingTemplate(t *testing.T) {
	t.Parallel()
	now := newClock("2026-03-01T12:00:00Z")
	c, server := start(t, notifytest.Config{Now: now.Now})
	if err := c.Send(t.Context(), aText("")); err != nil {
		t.Fatal(err)
	}
	count := listings(server)
	server.DeleteTemplate("credentials_sms")
	now.Add(refreshPause)
	for range 20 {
		err := c.Send(t.Context(), aText(""))
		if !errors.Is(err, govwifi.ErrMisconfigured) || !cmp.Equal(err.Error(), govwifi.ErrMisconfigured.Error()+
			`: there is no sms template called "credentials_sms": create it, or take it out of the archive`) {
			t.Fatalf("Send: %v", err)
		}
	}
	if n := count.Load(); n != 1 {
		t.Errorf("%d listings for 20 messages", n)
	}
	if err := c.Send(t.Context(), anEmail("")); err != nil {
		t.Errorf("another template: %v", err)
	}
	server.ResetTemplates()
	now.Add(refreshPause)
	if err := c.Send(t.Context(), aText("")); err != nil {
		t.Errorf("once it is back: %v", err)
	}
}

func TestATemplateOfTheWrongTypeIsMissing(t *testing.T) {
	t.Parallel()
	c, _ := start(t, notifytest.Config{Templates: []notifytest.Template{
		{Name: "credentials_sms", Type: "email", Subject: "x", Body: "x"},
		{Name: "help_menu_sms", Type: "sms", Body: "x"},
	}})
	if err := c.Send(t.Context(), aText("")); !errors.Is(err, govwifi.ErrMisconfigured) {
		t.Errorf("Send: %v", err)
	}
	missing, err := c.CheckTemplates(t.Context())
	want := slices.DeleteFunc(govwifi.Templates(), func(name govwifi.Template) bool { return name == govwifi.HelpMenuSMS })
	if err != nil || !cmp.Equal(missing, want) {
		t.Errorf("CheckTemplates: %v, %v", missing, err)
	}
}

// TestALookUpThatIsGivenUpHarmsNobodyElse: the first job's time ends while it lists.
func TestALookUpThatIsGivenUpHarmsNobodyElse(t *testing.T) {
	t.Parallel()
	c, server := start(t, notifytest.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	server.Play(func(notifytest.Request) notifytest.Fault {
		server.Play(nil)
		cancel()
		return notifytest.Fault{Hang: true}
	})
	if err := c.Send(ctx, aText("")); !errors.Is(err, context.Canceled) {
		t.Errorf("first: %v", err)
	}
	if err := c.Send(t.Context(), aText("")); err != nil {
		t.Errorf("second: %v", err)
	}
}

// TestAFailedLookUpIsShared: when Notify is away, waiting jobs do not ask in turn.
func TestAFailedLookUpIsShared(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	c := raw(t, func(w http.ResponseWriter, _ *http.Request) {
		n.Add(1)
		w.WriteHeader(http.StatusBadGateway)
	})
	for range 5 {
		if err := c.Send(t.Context(), aText("")); err == nil {
			t.Fatal("no error")
		}
	}
	if n.Load() != 1 {
		t.Errorf("%d listings", n.Load())
	}
}

func TestCheckTemplates(t *testing.T) {
	t.Parallel()
	c, server := start(t, notifytest.Config{})
	if missing, err := c.CheckTemplates(t.Context()); err != nil || missing != nil {
		t.Errorf("CheckTemplates: %v, %v", missing, err)
	}
	server.DeleteTemplate("recap_sms")
	if missing, err := c.CheckTemplates(t.Context()); err != nil || !cmp.Equal(missing, []govwifi.Template{govwifi.RecapSMS}) {
		t.Errorf("CheckTemplates: %v, %v", missing, err)
	}
}

func TestTemplatesKeepTheWholeObject(t *testing.T) {
	t.Parallel()
	c, _ := start(t, notifytest.Config{})
	templates, err := c.Templates(t.Context())
	if err != nil || len(templates) != len(govwifi.Templates()) {
		t.Fatalf("Templates: %d, %v", len(templates), err)
	}
	var whole struct {
		ID, Name, Type, Body string
		Version              int
	}
	first := templates[0]
	if err := json.Unmarshal(first.Raw, &whole); err != nil || whole.ID != first.ID || whole.Name != first.Name || whole.Type != first.Type || whole.Body == "" || whole.Version != 1 {
		t.Errorf("%+v, %v", whole, err)
	}
}

func TestSent(t *testing.T) {
	t.Parallel()
	now := newClock("2026-03-01T12:00:00Z")
	c, server := start(t, notifytest.Config{Now: now.Now})
	smokeTest := aText("smoke")
	smokeTest.To = "+447700900000"
	for _, m := range []govwifi.Message{aText("a b+c&d=é/%"), smokeTest} {
		if err := c.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	check := func(reference string, want bool) {
		t.Helper()
		if got, err := c.Sent(t.Context(), reference); err != nil || got != want {
			t.Errorf("Sent(%q) = %v, %v", reference, got, err)
		}
	}
	check("a b+c&d=é/%", true)
	check("a b", false)
	check("smoke", false)
	if got := len(server.Accepted()); got != 2 {
		t.Errorf("%d accepted", got)
	}
	if _, err := c.Sent(t.Context(), ""); err == nil {
		t.Error("an empty reference finds every message")
	}
	now.Add(8 * 24 * time.Hour)
	check("a b+c&d=é/%", false)
}

func TestSentDoesNotTrustAServerThatIgnoresTheFilter(t *testing.T) {
	t.Parallel()
	c := raw(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"notifications":[{"id":"1","reference":"other"},{"id":"2","reference":null}]}`)
	})
	if got, err := c.Sent(t.Context(), "job-1"); got || err != nil {
		t.Errorf("Sent = %v, %v", got, err)
	}
}

// notify-pit has no list to look into, and a retried text must go out all the same. Every
// other 404 tells nothing about the message: Notify's own, a proxy's.
func TestSentWhereNothingIsListed(t *testing.T) {
	t.Parallel()
	for body, known := range map[string]bool{
		`{"detail":"Not Found"}`: true,
		`{"detail":"Not found"}`: false,
		`{"detail":{}}`:          false,
		`{"result":"error","message":"The requested URL was not found on the server."}`:        false,
		`{"status_code":404,"errors":[{"error":"NoResultFound","message":"No result found"}]}`: false,
		`<h1>404 Not Found</h1>`: false,
		``:                       false,
	} {
		c := raw(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, body)
		})
		if sent, err := c.Sent(t.Context(), "job-1"); sent || (err == nil) != known {
			t.Errorf("%s: %v, %v", body, sent, err)
		}
		if _, err := c.ListNotifications(t.Context(), Query{}); err == nil {
			t.Errorf("%s is taken for a list", body)
		}
	}
	c := raw(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, `{"detail":"Not Found"}`)
	})
	if _, err := c.Sent(t.Context(), "job-1"); err == nil {
		t.Error("a 502 says that nothing was sent")
	}
}

// TestALateCommit: Notify is still committing when the client has long gone, which
// is why a look-up must wait.
func TestALateCommit(t *testing.T) {
	t.Parallel()
	c, server := start(t, notifytest.Config{})
	var commit func()
	server.Play(notifytest.Next(1, notifytest.Fault{Cut: true, Commit: func(f func()) { commit = f }}))
	if err := c.Send(t.Context(), aText("job-1")); !errors.Is(err, govwifi.ErrAmbiguous) {
		t.Fatalf("Send: %v", err)
	}
	if sent, err := c.Sent(t.Context(), "job-1"); sent || err != nil {
		t.Errorf("before: %v, %v", sent, err)
	}
	commit()
	commit()
	if sent, err := c.Sent(t.Context(), "job-1"); !sent || err != nil {
		t.Errorf("after: %v, %v", sent, err)
	}
	if got := len(server.Accepted()); got != 1 {
		t.Errorf("%d accepted", got)
	}
}

func TestNotificationsAreListedInPages(t *testing.T) {
	t.Parallel()
	c, server := start(t, notifytest.Config{})
	const all = 260
	for i := range all {
		if err := c.Send(t.Context(), aText(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	var got []Notification
	for query := (Query{}); ; query.OlderThan = got[len(got)-1].ID {
		page, err := c.ListNotifications(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
	}
	accepted := server.Accepted()
	slices.Reverse(accepted)
	if len(got) != all {
		t.Fatalf("%d notifications", len(got))
	}
	for i, n := range got {
		a := accepted[i]
		if n.ID != a.ID || n.Reference != a.Reference || n.Body != a.Body || n.PhoneNumber != a.To || n.Status != "delivered" ||
			n.Type != "sms" || n.Template.Version != 1 || n.CreatedAt.Sub(a.At).Abs() > time.Microsecond || n.SentAt.IsZero() {
			t.Fatalf("notification %d = %+v, want %+v", i, n, a)
		}
	}
	one, err := c.ListNotifications(t.Context(), Query{Reference: "17"})
	if err != nil || len(one) != 1 || one[0].Reference != "17" {
		t.Errorf("by reference: %v, %v", one, err)
	}
}

func TestReceivedTextsAreListedInPages(t *testing.T) {
	t.Parallel()
	c, server := start(t, notifytest.Config{})
	begin := time.Now().Add(-time.Hour).Truncate(time.Second)
	server.ReceiveText(notifytest.ReceivedText{From: "447700900999", Content: "too old", At: begin.Add(-8 * 24 * time.Hour)})
	var ids []string
	for i := range 260 {
		ids = append(ids, server.ReceiveText(notifytest.ReceivedText{From: "447700900123", To: "07537417417", Content: "Go", At: begin.Add(time.Duration(i) * time.Second)}))
	}
	slices.Reverse(ids)
	first, err := c.ReceivedTexts(t.Context(), "")
	if err != nil || len(first) != 250 {
		t.Fatalf("first page: %d, %v", len(first), err)
	}
	want := ReceivedText{ID: ids[0], CreatedAt: begin.Add(259 * time.Second).UTC(), NotifyNumber: "07537417417", UserNumber: "447700900123", Content: "Go"}
	if diff := cmp.Diff(want, first[0]); diff != "" {
		t.Error(diff)
	}
	second, err := c.ReceivedTexts(t.Context(), first[249].ID)
	if err != nil || len(second) != 10 || second[9].ID != ids[259] {
		t.Fatalf("second page: %d, %v", len(second), err)
	}
	if last, err := c.ReceivedTexts(t.Context(), second[9].ID); err != nil || len(last) != 0 {
		t.Errorf("last page: %v, %v", last, err)
	}
}

// The name behind the id that a delivery receipt holds, with one look-up at most.
func TestTemplateName(t *testing.T) {
	t.Parallel()
	c, server := start(t, notifytest.Config{})
	count := listings(server)
	templates, err := c.Templates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, template := range templates {
		if name, err := c.TemplateName(t.Context(), template.ID); err != nil || string(name) != template.Name {
			t.Errorf("%s is called %q, %v", template.Name, name, err)
		}
	}
	for range 3 {
		if name, err := c.TemplateName(t.Context(), "f335..."); err != nil || name != "" {
			t.Errorf("a foreign id is called %q, %v", name, err)
		}
	}
	if n := count.Load(); n != 2 {
		t.Errorf("%d listings, one of them by the test", n)
	}
}

func TestTemplateNameWithoutNotify(t *testing.T) {
	t.Parallel()
	c, server := start(t, notifytest.Config{})
	server.Play(func(notifytest.Request) notifytest.Fault { return notifytest.Fault{Status: 500} })
	if name, err := c.TemplateName(t.Context(), "f335..."); err == nil {
		t.Errorf("it is called %q", name)
	}
}
