package journeys

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// profiles is the directory where profiles are kept, empty when none are asked for
// (`make bench PROFILE=1`).
func profiles() string { return os.Getenv("PROFILES") }

// profile records the program's use of the processor for profileTime. The returned
// function waits for it and keeps it, with a look at what was allocated.
func (p *program) profile(name string) (keep func()) {
	p.Helper()
	if profiles() == "" {
		return func() {}
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", p.socket)
	}}}
	save := func(what, query string) error {
		response, err := client.Get("http://program/debug/pprof/" + what + query)
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(profiles(), fmt.Sprintf("%s-%s.pprof", name, what)), text, 0o600)
	}
	done := make(chan error, 1)
	go func() { done <- save("profile", fmt.Sprintf("?seconds=%d", profileTime/time.Second)) }()
	return func() {
		p.Helper()
		if err := <-done; err != nil {
			p.Errorf("keep a profile of %s: %v", name, err)
		}
		if err := save("allocs", ""); err != nil {
			p.Errorf("keep a profile of %s: %v", name, err)
		}
	}
}

// profileTime is as long as the shortest load that is profiled.
const profileTime = 5 * time.Second
