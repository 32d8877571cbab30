package deployment

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A document that names a test as its proof names one that there is.
func TestDocumentsNameTestsThatExist(t *testing.T) {
	t.Parallel()
	claim := regexp.MustCompile("`(internal/[a-z0-9/]+)`: ((?:`Test[A-Za-z0-9]+`(?:, )?)+)")
	for _, name := range []string{"docs/differences.md", "docs/migration.md"} {
		text := read(t, name)
		claims := claim.FindAllStringSubmatch(text, -1)
		named := 0
		for _, c := range claims {
			tests := testsOf(t, c[1])
			for _, test := range regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(c[2], -1) {
				named++
				if !strings.Contains(tests, "\nfunc "+test[1]+"(") {
					t.Errorf("%s: %s has no %s", name, c[1], test[1])
				}
			}
		}
		if all := strings.Count(text, "`Test"); named != all || named == 0 {
			t.Errorf("%s names %d tests, %d of them with their package", name, all, named)
		}
	}
}

// What scripts/chaos-safeguards takes out is there to be taken out: it is run too seldom to
// tell in time.
func TestSafeguardsAreWhereTheyWere(t *testing.T) {
	t.Parallel()
	check := exec.CommandContext(t.Context(), root+"scripts/chaos-safeguards")
	check.Env = append(check.Environ(), "CHECK=1", "TMPDIR="+t.TempDir())
	if text, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

// Every row of the differences has its test.
func TestEveryDifferenceHasItsTest(t *testing.T) {
	t.Parallel()
	for line := range strings.Lines(read(t, "docs/differences.md")) {
		row := strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| | Ruby |")
		if row && !strings.Contains(line, "`Test") {
			t.Errorf("no test shows: %s", line)
		}
	}
}

// Every threat names what shows that it is stopped, its package in brackets behind it.
func TestEveryThreatHasItsTest(t *testing.T) {
	t.Parallel()
	const name = "docs/threats.md"
	claim := regexp.MustCompile(`([^\[\]|]*)\[([a-z0-9]+)\]`)
	test := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`")
	for line := range strings.Lines(read(t, name)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || strings.Contains(line, "stops them | shown by") || strings.HasPrefix(cells[1], "-") {
			continue
		}
		named := 0
		for _, c := range claim.FindAllStringSubmatch(cells[3], -1) {
			tests := testsOf(t, "internal/"+c[2])
			for _, found := range test.FindAllStringSubmatch(c[1], -1) {
				named++
				if !strings.Contains(tests, "\nfunc "+found[1]+"(") {
					t.Errorf("%s: internal/%s has no %s", name, c[2], found[1])
				}
			}
		}
		if all := len(test.FindAllString(line, -1)); named != all || named == 0 {
			t.Errorf("%d tests, %d of them with their package: %s", all, named, line)
		}
	}
}

// testsOf is the text of a package's test files.
func testsOf(t *testing.T, pkg string) string {
	t.Helper()
	names, err := filepath.Glob(root + pkg + "/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range names {
		all.WriteString(read(t, strings.TrimPrefix(name, root)))
	}
	return all.String()
}
