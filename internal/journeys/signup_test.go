package journeys

import (
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/notify/notifytest"
	"github.com/govwifi/user-signup/internal/s3/s3test"
)

func TestEmailSignup(t *testing.T) {
	h := newHouse(t).open().work()
	event := h.mail("Jo Smith <Jo.Smith@dept.gov.uk>", signup, "")
	h.deliver(event)
	got := h.received(1)[0]
	user := h.user("Jo.Smith@dept.gov.uk")
	if got.Template != govwifi.SelfSignupCredentialsEmail || got.To != "Jo.Smith@dept.gov.uk" || got.Reference != event.ID ||
		got.ReplyTo != notifytest.DoNotReplyID || got.Personalisation["username"] != user.Username || got.Personalisation["password"] != user.Password {
		t.Errorf("received %+v", got)
	}
	if !regexp.MustCompile(`Your username:\s*[a-z]{6}\s*Your password:\s*([A-Z][a-z]+){3}`).MatchString(got.Body) {
		t.Errorf("GovWifi's smoke test would not find the credentials in %q", got.Body)
	}
	if user.Sponsor != user.Contact {
		t.Errorf("sponsor %q", string(user.Sponsor))
	}
}

func TestTextSignup(t *testing.T) {
	h := newHouse(t).open().work()
	h.deliver(h.world.Text("447700900123", "Go"))
	got := h.received(1)[0]
	user := h.user("+447700900123")
	if got.Template != govwifi.CredentialsSMS || got.To != "+447700900123" || got.ReplyTo != "" ||
		got.Personalisation["login"] != user.Username || got.Personalisation["pass"] != user.Password {
		t.Errorf("received %+v", got)
	}
	if !regexp.MustCompile(`Username:\s*[a-z]{6}\s*Password:\s*([A-Z][a-z]+){3}`).MatchString(got.Body) {
		t.Errorf("GovWifi's smoke test would not find the credentials in %q", got.Body)
	}
}

// The body that GovWifi's acceptance tests post has no id and no date.
func TestTextWithoutID(t *testing.T) {
	h := newHouse(t).open().work()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.world.Ingest+"/user-signup/sms-notification/notify",
		strings.NewReader(`{"source_number":"07700900000","destination_number":"07123456789","message":"Go"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+h.world.Token)
	response, err := http.DefaultClient.Do(request)
	if err != nil || response.StatusCode != 200 {
		t.Fatalf("%v, %v", response, err)
	}
	_ = response.Body.Close()
	if got := h.received(1)[0]; got.To != "+447700900000" {
		t.Errorf("to %s", got.To)
	}
}

// Whatever is asked, the sender has credentials from then on, always the same.
func TestHelpText(t *testing.T) {
	h := newHouse(t).open().work()
	h.deliver(h.world.Text("447700900123", "help"))
	h.received(1)
	h.deliver(h.world.Text("447700900123", "iphone 12"))
	got := h.received(2)
	user := h.user("+447700900123")
	for i, want := range []govwifi.Template{govwifi.HelpMenuSMS, govwifi.DeviceHelpIPhoneSMS} {
		if got[i].Template != want || got[i].Personalisation["login"] != user.Username {
			t.Errorf("received %+v", got[i])
		}
	}
}

func TestRejectedEmail(t *testing.T) {
	h := newHouse(t).open().work()
	h.deliver(h.mail("x@example.com", signup, ""))
	if got := h.received(1)[0]; got.Template != govwifi.RejectedEmailAddressEmail || len(got.Personalisation) != 0 || h.users() != 0 {
		t.Errorf("received %+v, %d users", got, h.users())
	}
}

// The same event, 20 times at once and once more when it is done: one message.
func TestRedeliveredEvent(t *testing.T) {
	h := newHouse(t).open().work()
	event := h.world.Text("447700900123", "Go")
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			if status, err := h.world.Deliver(t.Context(), event); status != 200 || err != nil {
				t.Errorf("answered %d, %v", status, err)
			}
		})
	}
	wait.Wait()
	h.received(1)
	h.deliver(event)
	other := h.world.Text("447700900456", "Go")
	h.deliver(other)
	// The later event is answered, so the earlier has had its chance.
	if got := h.received(2); len(got) != 2 || got[1].Reference != other.ID {
		t.Errorf("received %+v", got)
	}
}

// A bot that answers our answers is not answered for ever.
func TestBotLoop(t *testing.T) {
	h := newHouse(t).open().work()
	for range 2 {
		h.deliver(h.world.Text("447700900123", "Thank you"))
	}
	h.received(2)
	h.deliver(h.world.Text("447700900123", "Thank you"))
	h.await("the third to be left unanswered", func() bool { return strings.Contains(h.log.String(), "repeats themselves") })
	h.deliver(h.world.Text("447700900456", "Go"))
	if got := h.received(3); len(got) != 3 || got[2].To != "+447700900456" {
		t.Errorf("received %+v", got)
	}
}

// Notify refuses for good: the operator finds the job and its reason in the archive.
func TestRefusedRecipient(t *testing.T) {
	h := newHouse(t).open().work()
	h.notify.Play(notifytest.Always(notifytest.Fault{Status: 400, Error: "ValidationError", Message: "phone_number Not enough digits"}))
	h.deliver(h.world.Text("447700900123", "Go"))
	h.await("the job to be archived", func() bool { return strings.Contains(h.log.String(), "outcome=archived") })
	if strings.Contains(h.log.String(), "7700900123") {
		t.Error("a number in the clear in the log")
	}
}

// S3, Notify or MySQL away: the job waits, and the person is answered once.
func TestDependencyAway(t *testing.T) {
	t.Run("Notify", func(t *testing.T) {
		h := newHouse(t).open().work()
		h.notify.Play(notifytest.Next(1, notifytest.Fault{Status: 503}))
		h.deliver(h.world.Text("447700900123", "Go"))
		if got := h.received(1); len(got) != 1 {
			t.Errorf("received %+v", got)
		}
	})
	t.Run("Notify accepts and hangs up", func(t *testing.T) {
		h := newHouse(t).open().work()
		h.notify.Play(notifytest.Next(1, notifytest.Fault{Cut: true, Accept: true}))
		h.deliver(h.world.Text("447700900123", "Go"))
		h.await("the job to be done", func() bool { return strings.Contains(h.log.String(), "outcome=done") })
		if got := h.notify.Accepted(); len(got) != 1 {
			t.Errorf("sent twice: %+v", got)
		}
	})
	t.Run("S3", func(t *testing.T) {
		h := newHouse(t)
		h.s3.Break(s3test.Fault{Status: 500, Code: "InternalError"})
		h.open().work()
		h.deliver(h.mail("jo@dept.gov.uk", signup, ""))
		h.await("a retry", func() bool { return strings.Contains(h.log.String(), "outcome=retry") })
		h.s3.Break(s3test.Fault{})
		h.received(1)
	})
}

// Redis away: 503 within 2 s and nothing acknowledged; back again, all goes on by itself.
func TestRedisAway(t *testing.T) {
	for name, breakIt := range map[string][2]func(*house){
		"gone":      {func(h *house) { h.redis.Stop() }, func(h *house) { h.redis.Start() }},
		"hanging":   {func(h *house) { h.redis.Pause() }, func(h *house) { h.redis.Resume() }},
		"a replica": {func(h *house) { h.askRedis("REPLICAOF", "127.0.0.1", "1") }, func(h *house) { h.askRedis("REPLICAOF", "NO", "ONE") }},
		"full":      {func(h *house) { h.askRedis("CONFIG", "SET", "maxmemory", "1") }, func(h *house) { h.askRedis("CONFIG", "SET", "maxmemory", "0") }},
		"without its replica": {func(h *house) { h.askRedis("CONFIG", "SET", "min-replicas-to-write", "1") },
			func(h *house) { h.askRedis("CONFIG", "SET", "min-replicas-to-write", "0") }},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t).open().work()
			h.deliver(h.world.Text("447700900123", "Go"))
			h.received(1)
			breakIt[0](h)
			event := h.world.Text("447700900456", "Go")
			started := time.Now()
			if status, err := h.world.Deliver(t.Context(), event); status != 503 || err != nil {
				t.Errorf("answered %d, %v", status, err)
			}
			if took := time.Since(started); took > 2*time.Second {
				t.Errorf("the answer took %s", took)
			}
			breakIt[1](h)
			h.await("the sender's next try to be accepted", func() bool {
				status, _ := h.world.Deliver(t.Context(), event)
				return status == 200
			})
			if got := h.received(2); len(got) != 2 || got[1].To != "+447700900456" {
				t.Errorf("received %+v", got)
			}
		})
	}
}

// askRedis changes what Redis can do.
func (h *house) askRedis(command ...any) {
	h.t.Helper()
	c := redis.NewClient(&redis.Options{Addr: h.redis.Addr})
	defer func() { _ = c.Close() }()
	if err := c.Do(h.t.Context(), command...).Err(); err != nil {
		h.t.Fatal(err)
	}
}
