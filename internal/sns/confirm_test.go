package sns

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestConfirm(t *testing.T) {
	t.Parallel()
	for _, subscribe := range []string{
		parsed(t, "subscription_confirmation.json").SubscribeURL,
		"https://" + snsHost + "/",
		"https://sns.cn-north-1.amazonaws.com.cn/?Action=ConfirmSubscription&Token=a%3D",
	} {
		cloud := newAWS(t)
		// The answer is XML, and may be as long as it likes.
		cloud.serve(http.StatusOK, strings.Repeat("<ConfirmSubscriptionResponse/>", 100_000))
		e := signed(t, "subscription_confirmation.json", func(e *Envelope) { e.SubscribeURL = subscribe })
		if err := cloud.verifier().Confirm(t.Context(), e); err != nil {
			t.Errorf("%s: %v", subscribe, err)
		}
		if n := cloud.requests.Load(); n != 1 {
			t.Fatalf("%s: %d requests, want 1", subscribe, n)
		}
		if got := "https://" + cloud.last.Host + cloud.last.RequestURI; got != subscribe || cloud.last.Method != http.MethodGet {
			t.Errorf("%s %s was fetched, want GET %s", cloud.last.Method, got, subscribe)
		}
	}
}

func TestConfirmForeignURLIsNotFetched(t *testing.T) {
	t.Parallel()
	cloud := newAWS(t)
	v := cloud.verifier()
	urls := []string{
		"https://" + snsHost,
		"https://" + snsHost + "/path",
		"https://" + snsHost + "/x?Action=ConfirmSubscription",
		"https://" + snsHost + "/?a#b",
		"https://" + snsHost + "/?a b",
		"https://" + snsHost + "/?a\r\nHost:evil.test",
		"https://" + snsHost + "//evil.test/",
		"https://" + snsHost + "/\\evil.test",
		"https://evil.test/?Action=ConfirmSubscription",
	}
	for _, u := range notASNSHost {
		urls = append(urls, strings.Replace(u, "%s", "/?Action=ConfirmSubscription", 1))
	}
	for _, u := range urls {
		e := parsed(t, "subscription_confirmation.json")
		e.SubscribeURL = u
		err := v.Confirm(t.Context(), e)
		if err == nil || !strings.Contains(err.Error(), "SubscribeURL is missing or not one of SNS") {
			t.Errorf("%q: %v", u, err)
		}
	}
	if n := cloud.dials.Load(); n != 0 {
		t.Errorf("%d connections, want none", n)
	}
}

// A SubscribeURL stands in the farewell as well, and a stranger can put an
// unsigned one into a notification.
func TestConfirmOnlyConfirmations(t *testing.T) {
	t.Parallel()
	cloud := newAWS(t)
	for _, kind := range []string{Notification, UnsubscribeConfirmation} {
		e := parsed(t, "subscription_confirmation.json")
		e.Type = kind
		refused(t, cloud.verifier().Confirm(t.Context(), e), ErrForbidden, "asks for no subscription")
	}
	if n := cloud.dials.Load(); n != 0 {
		t.Errorf("%d connections, want none", n)
	}
}

func TestConfirmFailures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		reason string
	}{
		"500":       {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "status 500"},
		"404":       {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, "status 404"},
		"not quite": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202) }, "status 202"},
		"redirect": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://"+snsHost+"/?elsewhere")
			w.WriteHeader(302)
		}, "status 302"},
		"slow": {nil, "Client.Timeout"},
		"cut":  {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "confirm subscription"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := newAWS(t)
			release := released(t)
			cloud.respond(func(w http.ResponseWriter, r *http.Request) {
				if test.answer == nil {
					<-release
					return
				}
				test.answer(w, r)
			})
			v := cloud.verifier()
			if test.answer == nil {
				v.client.Timeout = 200 * time.Millisecond
			}
			e := signed(t, "subscription_confirmation.json")
			err := v.Confirm(t.Context(), e)
			refused(t, err, ErrUnavailable, test.reason)
			if err != nil && strings.Contains(err.Error(), e.Token) {
				t.Errorf("%v holds the token", err)
			}
			if n := cloud.requests.Load(); n != 1 && name != "cut" {
				t.Errorf("%d requests, want 1: redirects are not followed", n)
			}
		})
	}
}

func TestConfirmEndsWithItsContext(t *testing.T) {
	t.Parallel()
	cloud := newAWS(t)
	ctx, cancel := context.WithCancel(t.Context())
	release := released(t)
	cloud.respond(func(http.ResponseWriter, *http.Request) { cancel(); <-release })
	err := cloud.verifier().Confirm(ctx, signed(t, "subscription_confirmation.json"))
	refused(t, err, ErrUnavailable, "context canceled")
}
