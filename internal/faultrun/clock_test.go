package faultrun

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/testenv"
)

const clockFormat = "15:04:05.000"

// clock is the wall clock of one process. Linux cannot set one for a process alone, and
// LD_PRELOAD does not reach static programs, so the programs are compiled for the run
// with one line more in the standard library's time.Now (go build -overlay): it adds what
// this file says, at once and also while the program runs. The service's own code is as
// it is shipped, and so is the monotonic clock, as when an operator sets the time.
type clock struct{ file string }

func newClock(t testing.TB, file string) *clock {
	t.Helper()
	c := &clock{file}
	if err := os.WriteFile(file, make([]byte, 8), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *clock) variable() string { return "CLOCK_STEP_FILE=" + c.file }

// set puts the clock forward, or back, from the true time. The program has the file
// mapped, so it is written in place.
func (c *clock) set(step time.Duration) {
	file, err := os.OpenFile(c.file, os.O_WRONLY, 0)
	if err != nil {
		return
	}
	_, _ = file.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(step)), 0)
	_ = file.Close()
}

// build makes the programs. With clocks, they can be stepped; that compiles the standard
// library anew, which takes minutes the first time.
func build(bin string, clocks bool) error {
	args := []string{"../../cmd/ingest", "../../cmd/worker", "../../cmd/scheduler"}
	if clocks {
		overlay, err := writeOverlay(bin)
		if err != nil {
			return err
		}
		args = append([]string{"-overlay", overlay}, args...)
	}
	return testenv.Build(bin, args...)
}

// writeOverlay writes a time.Now that asks the step, and where it is to be read from.
func writeOverlay(dir string) (string, error) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("find the standard library: %w", err)
	}
	library := filepath.Join(strings.TrimSpace(string(out)), "src", "time")
	const ask = "\tsec, nsec, mono := runtimeNow()\n"
	text, err := os.ReadFile(filepath.Join(library, "time.go"))
	if err != nil {
		return "", err
	}
	if strings.Count(string(text), ask) != 1 {
		return "", fmt.Errorf("%s/time.go reads the clock in another way than expected: mend writeOverlay", library)
	}
	stepped := strings.Replace(string(text), ask, ask+"\tsec, nsec = stepped(sec, nsec)\n", 1)
	step, err := os.ReadFile("testdata/step.go")
	if err != nil {
		return "", err
	}
	files := map[string]string{}
	for name, text := range map[string]string{"time.go": stepped, "step.go": string(step)} {
		files[filepath.Join(library, name)] = filepath.Join(dir, name)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": files})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, overlay, 0o600)
}
