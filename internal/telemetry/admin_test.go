package telemetry

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener without a network, so that a test can use its clock.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	conn, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (p pipes) Close() error {
	close(p)
	return nil
}

func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p <- theirs
	return ours
}

// The end is clean whoever holds a connection: a request under way gets its answer, and
// a connection on which nobody has asked anything is cut off after the drain.
func TestServeUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(drainTime / 2)
			_, _ = io.WriteString(w, "done")
		})}
		listener, ended := make(pipes), make(chan error)
		go func() { ended <- ServeUntil(ctx, server, listener) }()
		asked, silent := listener.dial(), listener.dial()
		go func() { _, _ = io.WriteString(asked, "GET / HTTP/1.1\r\nHost: example\r\n\r\n") }()
		synctest.Wait()
		began := time.Now()
		cancel()
		answer, err := http.ReadResponse(bufio.NewReader(asked), nil)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Errorf("the request under way: %v, %v", answer, err)
		}
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
		if took := time.Since(began); took != drainTime {
			t.Errorf("the end took %v", took)
		}
		if _, err := silent.Read(make([]byte, 1)); err == nil {
			t.Error("the silent connection is still open")
		}
	})
}
