package sandbox

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/govwifi/user-signup/internal/notify/notifytest"
)

// An operator opens the dashboard while Notify refuses: the job is found with its reason,
// nobody's number is shown, and once all is well it is run again and gone.
func TestReplayInTheDashboard(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.Notify.Play(notifytest.Always(notifytest.Fault{Status: 400, Error: "ValidationError", Message: "phone_number Not enough digits"}))
	if status, err := s.World.Deliver(t.Context(), s.World.Text("447700900123", "Go")); status != 200 || err != nil {
		t.Fatalf("answered %d, %v", status, err)
	}
	browser := browse(t)
	const row = `//tr[contains(., "Not enough digits")]`
	err := chromedp.Do(browser,
		chromedp.Navigate(s.Console+"/asynqmon/queues/interactive?status=archived"),
		chromedp.WaitVisible(row)) // the page asks again every few seconds
	if err != nil {
		t.Fatalf("find the job: %v", err)
	}
	shown, err := chromedp.Run(browser, chromedp.Text(chromedp.CSS("body")))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"from: +4477*****123", "the recipient is refused by GOV.UK Notify"} {
		if !strings.Contains(shown, want) {
			t.Errorf("the dashboard does not show %q:\n%s", want, shown)
		}
	}
	if strings.Contains(shown, "7700900123") {
		t.Errorf("the dashboard shows a number in the clear:\n%s", shown)
	}
	s.Notify.Play(nil)
	err = chromedp.Do(browser,
		chromedp.Click(row+`//input[@type="checkbox"]`),
		chromedp.Click(`//*[@title="Run"]/descendant-or-self::button`),
		chromedp.WaitNotPresent(row))
	if err != nil {
		t.Fatalf("run the job again: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if got, err := s.Notify.Wait(ctx, 1); err != nil || got[0].To != "+447700900123" {
		t.Errorf("received %+v, %v", got, err)
	}
}
