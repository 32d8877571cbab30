package testenv

import (
	"strings"
	"testing"
)

func TestProxyCutsAndRestores(t *testing.T) {
	t.Parallel()
	proxy := NewProxy(t, strings.TrimSuffix(strings.TrimPrefix(Redis(t), "redis://"), "/0"))
	c := client(t, "redis://"+proxy.Addr)
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Fatalf("whole line: %v", err)
	}
	proxy.Cut()
	for range 2 { // the connection in the pool, then a new one
		if err := c.Ping(t.Context()).Err(); err == nil {
			t.Error("cut line answers")
		}
	}
	proxy.Restore()
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Errorf("restored line: %v", err)
	}
}

func TestProxySwallowsAReplyOfARequestThatTookEffect(t *testing.T) {
	t.Parallel()
	proxy := NewProxy(t, NewRedisServer(t).Addr)
	c := client(t, "redis://"+proxy.Addr)
	proxy.SwallowReplies(1, "INCR")
	if err := c.Incr(t.Context(), "n").Err(); err == nil {
		t.Error("first request: got the reply that was to be lost")
	}
	if got, err := c.Incr(t.Context(), "n").Result(); err != nil || got != 2 {
		t.Errorf("second request: got %d, %v, want 2", got, err)
	}
	if got := proxy.Swallowed(); got != 1 {
		t.Errorf("swallowed: got %d, want 1", got)
	}
}
