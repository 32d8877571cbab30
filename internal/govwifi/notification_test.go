package govwifi_test

import (
	"strings"
	"testing"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/notify/notifytest"
)

// Every template of the service, filled in as Notify would.
func TestMaskPasswordsInEveryTemplate(t *testing.T) {
	t.Parallel()
	const password = "CatDogElephant"
	fill := strings.NewReplacer("((PASS))", password, "((password))", password, "((LOGIN))", "bcdfgh", "((username))", "bcdfgh")
	masked := 0
	for _, template := range notifytest.DefaultTemplates() {
		body := fill.Replace(template.Body)
		got := govwifi.MaskPasswords(body)
		if strings.Contains(got, "Elephant") {
			t.Errorf("%s shows the password: %s", template.Name, got)
		}
		if want := strings.ReplaceAll(body, password, "[hidden]"); got != want {
			t.Errorf("%s is\n%s\nwant\n%s", template.Name, got, want)
		}
		if got != body {
			masked++
		}
		if again := govwifi.MaskPasswords(got); again != got {
			t.Errorf("%s masked twice: %s", template.Name, again)
		}
	}
	if masked < 8 {
		t.Errorf("only %d templates hold a password", masked)
	}
}

func TestMaskPasswords(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"Password: OneTwoThree":             "Password: [hidden]",
		"PASSWORD:\r\n\r\nOneTwoThree\r\nx": "PASSWORD:\r\n\r\n[hidden]\r\nx",
		"**Password:** OneTwoThree":         "**Password:** [hidden]",
		"Your password:\n^ old-style99\nx":  "Your password:\n^ [hidden]\nx",
		"<b>OneTwoThree</b>":                "<b>[hidden]</b>",
		"Cyfrinair: OneTwoThree":            "Cyfrinair: [hidden]",
		"bcdfgh/OneTwoThreeFour":            "bcdfgh/[hidden]",
		"xOneTwoThree1":                     "x[hidden]1",
		"Your username and password work":   "Your username and password work",
		"GovWifi on a BlackBerry or iPhone": "GovWifi on a BlackBerry or iPhone",
		"Password: [hidden] [hidden] x":     "Password: [hidden] [hidden] x",
		"":                                  "",
	} {
		if got := govwifi.MaskPasswords(body); got != want {
			t.Errorf("%q becomes %q, want %q", body, got, want)
		}
	}
}
