package testenv

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// Proxy is a TCP line to a server that a test can break.
type Proxy struct {
	// Addr is 127.0.0.1:port.
	Addr string

	target string
	wg     sync.WaitGroup

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]struct{}
	// swallow is how many more replies to requests that hold these bytes are to be lost.
	swallow int
	request []byte
	// swallowed is how many were lost.
	swallowed int
}

// NewProxy listens until the test ends and forwards every connection to target,
// a host and port.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("testenv: %v", err)
	}
	p := &Proxy{Addr: l.Addr().String(), target: target, conns: map[net.Conn]struct{}{}}
	p.wg.Go(func() { p.accept(l) })
	t.Cleanup(func() {
		_ = l.Close()
		p.Cut()
		p.wg.Wait()
	})
	return p
}

// Cut drops every connection, and each new one as soon as it is made, until Restore.
// (Connections that are refused: stop the server itself.)
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for c := range p.conns {
		_ = c.Close()
	}
}

// Restore lets new connections through again.
func (p *Proxy) Restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
}

// SwallowReplies loses the reply to the next n requests that hold the given bytes, in
// any case ("" for any request): the request reaches the server and takes effect, and
// when the server answers, the connection is closed instead. For Redis name the
// command ("evalsha"), or a client's HELLO on a new connection counts; and let the
// script be loaded before, or what is lost is the answer NOSCRIPT.
func (p *Proxy) SwallowReplies(n int, request string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swallow, p.request = n, bytes.ToLower([]byte(request))
}

// Swallowed is how many replies were lost so far: a test that loses one asks, or it
// would pass without the fault.
func (p *Proxy) Swallowed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.swallowed
}

func (p *Proxy) accept(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(client) })
	}
}

// serve joins one client to the server until either side closes.
func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.add(client, server) {
		return
	}
	defer p.remove(client, server)
	line := &line{proxy: p}
	p.wg.Go(func() {
		_, _ = io.Copy(io.MultiWriter(requests{line}, server), client)
		_ = server.Close()
	})
	_, _ = io.Copy(client, replies{line, server})
}

func (p *Proxy) add(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut {
		return false
	}
	for _, c := range conns {
		p.conns[c] = struct{}{}
	}
	return true
}

func (p *Proxy) remove(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
	}
}

// line is one connection; doomed, guarded by the proxy's mutex, says that its next
// reply is to be lost.
type line struct {
	proxy  *Proxy
	doomed bool
}

// requests watches what the client sends, before the server gets it.
type requests struct{ *line }

func (r requests) Write(b []byte) (int, error) {
	p := r.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.swallow > 0 && bytes.Contains(bytes.ToLower(b), p.request) {
		p.swallow--
		r.doomed = true
	}
	return len(b), nil
}

// errSwallowed ends a connection in place of a reply.
var errSwallowed = errors.New("reply swallowed")

// replies is what the server sends, up to the reply that is to be lost.
type replies struct {
	*line
	server io.Reader
}

func (r replies) Read(b []byte) (int, error) {
	n, err := r.server.Read(b)
	r.proxy.mu.Lock()
	defer r.proxy.mu.Unlock()
	if r.doomed {
		r.proxy.swallowed++
		return 0, errSwallowed
	}
	return n, err
}
