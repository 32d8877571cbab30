package deployment

import (
	"debug/buildinfo"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/govwifi/user-signup/internal/testenv"
)

// bom is as much of CycloneDX 1.5 as an SBOM of ours has; its schema refuses names that
// it does not know, and so does the test.
type bom struct {
	BOMFormat   string `json:"bomFormat"`
	SpecVersion string `json:"specVersion"`
	Version     int    `json:"version"`
	Metadata    struct {
		Component component `json:"component"`
	} `json:"metadata"`
	Components []component `json:"components"`
}

type component struct {
	Type       string `json:"type"`
	Ref        string `json:"bom-ref"`
	Name       string `json:"name"`
	Version    string `json:"version"`
	PURL       string `json:"purl"`
	Properties []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"properties"`
}

// The SBOM of a program lists exactly the modules that are in it, each once, and the
// standard library with Go's version.
func TestSBOM(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "scheduler")
	if err := testenv.Build(filepath.Dir(program), root+"cmd/scheduler"); err != nil {
		t.Fatal(err)
	}
	text, err := exec.CommandContext(t.Context(), root+"scripts/sbom", "v1.2.3", "abcdef", program, program).Output()
	if err != nil {
		t.Fatal(err)
	}
	var b bom
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&b); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	if b.BOMFormat != "CycloneDX" || b.SpecVersion != "1.5" || b.Version != 1 || b.Metadata.Component.Version != "v1.2.3" {
		t.Errorf("its head is %+v", b)
	}
	build, err := buildinfo.ReadFile(program)
	if err != nil || len(build.Deps) < 10 {
		t.Fatalf("%d modules, %v", len(build.Deps), err)
	}
	want := map[string]string{"std": build.GoVersion}
	for _, module := range build.Deps {
		want[module.Path] = module.Version
	}
	for _, c := range b.Components {
		if c.Type != "library" || c.PURL != "pkg:golang/"+c.Name+"@"+c.Version || c.Ref != c.PURL {
			t.Errorf("odd: %+v", c)
		}
		if want[c.Name] != c.Version {
			t.Errorf("%s %s is not in the program, or is listed twice", c.Name, c.Version)
		}
		delete(want, c.Name)
	}
	if len(want) > 0 {
		t.Errorf("not listed: %v", want)
	}
}
