package archtest

import (
	"bytes"
	"debug/buildinfo"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the lists of the modules that each binary links")

// Two builds of the same source, in two folders, are the same to the byte: whoever has
// the source can check that a binary was made of it.
func TestBuildsAreReproducible(t *testing.T) {
	t.Parallel()
	var builds [2][]byte
	for i := range builds {
		text, err := os.ReadFile(build(t, source(t), "ingest"))
		if err != nil {
			t.Fatal(err)
		}
		builds[i] = text
	}
	if !bytes.Equal(builds[0], builds[1]) {
		t.Errorf("two builds of ingest differ (%d and %d bytes)", len(builds[0]), len(builds[1]))
	}
}

// What each binary links is a list that somebody has looked at: testdata/<binary>.modules.
// A module that appears by way of another is a surprise here, and not in production.
func TestBinariesLinkOnlyWhatIsListed(t *testing.T) {
	t.Parallel()
	tree := source(t)
	for _, name := range []string{"ingest", "scheduler", "worker", "sandbox", "standins"} {
		linked := needed(t, tree, name)
		if name != "sandbox" { // its embedded MySQL takes minutes to build
			if in := built(t, tree, name); !slices.Equal(in, linked) {
				t.Errorf("%s links %q, go list says %q", name, in, linked)
			}
		}
		file := filepath.Join("testdata", name+".modules")
		if *update {
			if err := os.WriteFile(file, []byte(strings.Join(linked, "\n")+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		listed := strings.Fields(string(text))
		for _, module := range linked {
			if !slices.Contains(listed, module) {
				t.Errorf("%s links %s: if it has to, list it in internal/archtest/%s (go test ./internal/archtest -update)", name, module, file)
			}
		}
		for _, module := range listed {
			if !slices.Contains(linked, module) {
				t.Errorf("%s does not link %s any more: take it off internal/archtest/%s", name, module, file)
			}
		}
	}
}

// built are the modules in a binary, as `go version -m` shows them.
func built(t *testing.T, tree, name string) []string {
	t.Helper()
	info, err := buildinfo.ReadFile(build(t, tree, name))
	if err != nil {
		t.Fatal(err)
	}
	var modules []string
	for _, dep := range info.Deps {
		modules = append(modules, dep.Path)
	}
	slices.Sort(modules)
	return modules
}

// needed are the modules that a binary would hold, found without building it.
func needed(t *testing.T, tree, name string) []string {
	t.Helper()
	command := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", "./cmd/"+name)
	command.Dir = tree
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	out, err := command.Output()
	if err != nil {
		t.Fatalf("list the packages of %s: %v", name, err)
	}
	modules := strings.Fields(string(out))
	slices.Sort(modules)
	return slices.Compact(modules)
}

// source copies what a build needs into a folder of its own. Reading it here also has
// the test cache know what the test depends on, as a build by the go command would not.
func source(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	root := os.DirFS("../..")
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := fs.ReadFile(root, name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{"cmd", "internal"} {
		tree, err := fs.Sub(root, folder)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(filepath.Join(dir, folder), tree); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// build makes a binary as `make build` does.
func build(t *testing.T, tree, name string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), name)
	command := exec.Command("go", "build", "-trimpath", "-o", binary, "./cmd/"+name)
	command.Dir = tree
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	return binary
}
