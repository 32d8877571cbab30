package testenv

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// BuildPrograms builds ingest, worker and scheduler into a folder, as `make build` does, with
// further arguments for go build. Its caller is the test of a package in internal.
//
// It also looks at every source file: what go test's cache knows of a test is what the test
// links and looks at itself, so without, a journey would pass "(cached)" whatever became of
// a program.
func BuildPrograms(into string, args ...string) error {
	for _, sources := range []string{"../../cmd", "../../internal"} {
		if err := filepath.WalkDir(sources, func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
			return fmt.Errorf("look at the sources: %w", err)
		}
	}
	args = append([]string{"build", "-trimpath", "-o", into + "/"}, args...)
	cmd := exec.Command("go", append(args, "../../cmd/ingest", "../../cmd/worker", "../../cmd/scheduler")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return nil
}
