package testenv

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Nothing of a server may stay behind in the process: packages that use testenv look
// for leaks of their own.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A test process that is killed runs no cleanup; its servers end all the same.
func TestServersEndWithAKilledProcess(t *testing.T) {
	t.Parallel()
	if os.Getenv("TESTENV_VICTIM") != "" {
		fmt.Println("addr", NewRedisServer(t).Addr)
		select {}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "TESTENV_VICTIM=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	addr := strings.TrimSpace(strings.TrimPrefix(line, "addr "))
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		_ = conn.Close()
		if time.Now().After(deadline) {
			t.Fatalf("the Redis at %s outlives its process", addr)
		}
	}
}
