// Package archtest holds the rule of which package may import which, and the test
// that the code keeps it. It parses the imports itself: a test that asks `go list`
// is answered from the test cache when another package has changed, and passes wrongly.
package archtest

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// module is the path of this module; packages are named by their folder in it.
const module = "github.com/govwifi/user-signup"

// graph is what each package of the tree imports, without and with its tests. Packages
// of the module are named by folder (internal/job), others by their full path.
type graph struct {
	imports map[string][]string
	tests   map[string][]string
}

// parse reads the imports of every Go file in the tree, whatever its build tags.
func parse(tree fs.FS) (graph, error) {
	g := graph{imports: map[string][]string{}, tests: map[string][]string{}}
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skip(name)
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		imports, err := fileImports(tree, name)
		if err != nil {
			return err
		}
		pkg := path.Dir(name)
		to := g.imports
		if strings.HasSuffix(name, "_test.go") {
			to = g.tests
		}
		to[pkg] = append(to[pkg], imports...)
		return nil
	})
	return g, err
}

// skip leaves out the folders that the go command leaves out.
func skip(dir string) error {
	base := path.Base(dir)
	if dir != "." && (base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
		return fs.SkipDir
	}
	return nil
}

func fileImports(tree fs.FS, name string) ([]string, error) {
	source, err := fs.ReadFile(tree, name)
	if err != nil {
		return nil, err
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var imports []string
	for _, spec := range file.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		imports = append(imports, strings.TrimPrefix(target, module+"/"))
	}
	return imports, nil
}

// check returns every way in which the graph breaks the rules, one line each, sorted.
func check(g graph, rules rules) []string {
	var faults []string
	packages := maps.Clone(g.imports)
	maps.Copy(packages, g.tests)
	for pkg := range packages {
		faults = append(faults, rules.checkPackage(pkg, g)...)
	}
	for _, ban := range rules.unreachable {
		for _, target := range ban.targets {
			if chain := g.chain(ban.from, target); chain != nil {
				faults = append(faults, fmt.Sprintf("%s: %s", strings.Join(chain, " → "), ban.reason))
			}
		}
	}
	slices.Sort(faults)
	return slices.Compact(faults)
}

// checkPackage checks the package's own name and direct imports.
func (r rules) checkPackage(pkg string, g graph) []string {
	var faults []string
	if slices.Contains(r.bannedNames, path.Base(pkg)) {
		faults = append(faults, pkg+": a package is named for what it provides")
	}
	room, found := r.rooms[pkg]
	if !found {
		faults = append(faults, pkg+": is not in the table of rooms (internal/archtest/rules.go)")
	}
	for _, target := range g.imports[pkg] {
		if found && !room.allows(target) {
			faults = append(faults, fmt.Sprintf("%s → %s: %s", pkg, target, room.reason))
		}
		faults = append(faults, r.checkOwner(pkg, target, false)...)
	}
	for _, target := range g.tests[pkg] {
		faults = append(faults, r.checkOwner(pkg, target, true)...)
	}
	return faults
}

// checkOwner checks that a package that has owners is imported by one of them.
func (r rules) checkOwner(pkg, target string, test bool) []string {
	var faults []string
	for _, o := range r.owned {
		if !within(target, o.target) || slices.Contains(o.owners, pkg) || test && o.tests {
			continue
		}
		faults = append(faults, fmt.Sprintf("%s → %s: %s", pkg, target, o.reason))
	}
	return faults
}

// chain is the shortest way from a package to a target through the module's own
// packages, tests left out; nil if there is none.
func (g graph) chain(from, target string) []string {
	ways := [][]string{{from}}
	seen := map[string]bool{from: true}
	for len(ways) > 0 {
		way := ways[0]
		ways = ways[1:]
		next := slices.Sorted(slices.Values(g.imports[way[len(way)-1]]))
		for _, to := range next {
			if within(to, target) {
				return append(slices.Clone(way), to)
			}
			if !seen[to] {
				seen[to] = true
				ways = append(ways, append(slices.Clone(way), to))
			}
		}
	}
	return nil
}

// within says whether a package is the one named or lies below it.
func within(pkg, root string) bool {
	return pkg == root || strings.HasPrefix(pkg, root+"/")
}
