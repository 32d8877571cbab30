package testenv

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// Build builds programs into a folder, as `make build` does; its arguments are those of go
// build, whose packages are named from that of the test, one of those right in internal.
//
// It also looks at every source file: what go test's cache knows of a test is what the test
// links and looks at itself, so without, a journey would pass "(cached)" whatever became of
// a program.
func Build(into string, args ...string) error {
	for _, sources := range []string{"../../cmd", "../../internal"} {
		if err := filepath.WalkDir(sources, func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
			return fmt.Errorf("look at the sources: %w", err)
		}
	}
	cmd := exec.Command("go", append([]string{"build", "-trimpath", "-o", into + "/"}, args...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return nil
}
