//go:build profile

package process

import (
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof" // serves the profiles
	"os"
)

// A program built with -tags profile, as `make bench PROFILE=1` does, serves its
// profiles on the Unix socket that PROFILE_SOCKET names. Others hold none of this: what
// a profile shows of memory may be personal.
func init() {
	name := os.Getenv("PROFILE_SOCKET")
	if name == "" {
		return
	}
	l, err := net.Listen("unix", name)
	if err != nil {
		fmt.Fprintln(os.Stderr, "serve profiles:", err)
		return
	}
	go func() { _ = http.Serve(l, nil) }()
}
