package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/govwifi/user-signup/internal/measure"
)

// The commit that is named is the one that was measured, whatever of the table and the
// plots is written to its folder.
func TestTableNamesTheCommit(t *testing.T) {
	t.Chdir(t.TempDir())
	const page = "<!-- measured -->\n<!-- /measured -->\n"
	if err := os.Mkdir("docs", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"README.md": page, "docs/performance.md": page, "docs/growth-queue.svg": "<svg/>"} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-qm", "x"}} {
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	commit, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		t.Fatal(err)
	}
	curve := measure.Curve{Name: "queue", Title: "x", Points: []measure.Point{{X: 1, Y: 1}, {X: 10, Y: 2}}}
	line, err := json.Marshal(measure.Line{Curve: &curve})
	if err != nil {
		t.Fatal(err)
	}
	measured := t.TempDir() + "/measured"
	if err := os.WriteFile(measured, line, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := write(measured, "make bench"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("docs/performance.md")
	if want := "at commit " + strings.TrimSpace(string(commit)) + " on "; err != nil || !strings.Contains(string(text), want) {
		t.Errorf("the page does not say %q:\n%s%v", want, text, err)
	}
}
