package faultrun

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// disk is a small file system of its own, which can be full.
type disk struct {
	dir string
	// small is false where mounting is not allowed: then it is a folder like any other
	// and cannot be filled.
	small bool
}

// mounter unmounts when its input ends, also if the test process was killed.
const mounter = `mount -t tmpfs -o size=48m,mode=700 tmpfs "$1" || exit 1
echo mounted
read -r _
umount -l "$1"`

// newDisk mounts a file system in memory, which takes root.
func newDisk(t testing.TB, dir string) *disk {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", mounter, "mounter", dir)
	// A group of its own, or Ctrl-C would end it before it has unmounted.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	word, _ := bufio.NewReader(stdout).ReadString('\n') // no word: not mounted
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait() // 1 where it was not allowed to mount
	})
	return &disk{dir: dir, small: strings.TrimSpace(word) == "mounted"}
}

func (d *disk) ballast() string { return filepath.Join(d.dir, "ballast") }

// fill leaves not a byte free.
func (d *disk) fill() {
	file, err := os.Create(d.ballast())
	if err != nil {
		return
	}
	_, _ = io.Copy(file, zeroes{}) // until there is no space left
	_ = file.Close()
}

// free gives the space back.
func (d *disk) free() { _ = os.Remove(d.ballast()) }

type zeroes struct{}

func (zeroes) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
