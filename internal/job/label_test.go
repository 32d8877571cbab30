package job

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The dashboard shows the label of every job that may lie in Redis.
func TestLabelOf(t *testing.T) {
	t.Parallel()
	for _, j := range examples() {
		payload, err := json.Marshal(j)
		if err != nil {
			t.Fatal(err)
		}
		if got := LabelOf(j.Spec().Name, payload); got != j.Label() {
			t.Errorf("%s is shown as %q, not %q", j.Spec().Name, got, j.Label())
		}
	}
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d payloads, %v", len(files), err)
	}
	for _, file := range files {
		payload, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if got := LabelOf(name, payload); strings.HasPrefix(got, "(") {
			t.Errorf("%s is shown as %q: add it to labels", name, got)
		}
	}
}

// Whom a mail is about is its address, masked; a name beside it is nobody's business.
func TestLabelOfAMail(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]string{"Jo Smith <jo@dept.gov.uk>": "from: j***@d***.gov.uk", "Jo Smith": "from: nobody"} {
		if got := (SignupEmail{From: from}).Label(); got != want {
			t.Errorf("%q is shown as %q, not %q", from, got, want)
		}
	}
}

func TestLabelOfTheUnknown(t *testing.T) {
	t.Parallel()
	for name, payload := range map[string]string{"signup-sms": `jo@dept.gov.uk`, "signup-sms-2": `{"number":"+447700900123"}`, "": ""} {
		if got := LabelOf(name, []byte(payload)); !strings.HasPrefix(got, "(") || strings.Contains(got, "jo@") {
			t.Errorf("%s: %q", name, got)
		}
	}
}
