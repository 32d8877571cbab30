package testenv

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func client(t *testing.T, url string) *redis.Client {
	t.Helper()
	opt, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	opt.MaxRetries = -1
	opt.ReadTimeout = 200 * time.Millisecond
	c := redis.NewClient(opt)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestRedisIsOfTheTestAlone(t *testing.T) {
	t.Parallel()
	a, b := client(t, Redis(t)), client(t, Redis(t))
	if err := a.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := b.Get(t.Context(), "k").Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("other server: got %v, want no such key", err)
	}
}

func TestRedisKeepsWhatItAcknowledged(t *testing.T) {
	t.Parallel()
	server := NewRedisServer(t)
	c := client(t, server.URL)
	if err := c.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	if err := c.Ping(t.Context()).Err(); err == nil {
		t.Error("stopped server answers")
	}
	server.Start()
	if got, err := c.Get(t.Context(), "k").Result(); err != nil || got != "v" {
		t.Errorf("after restart: got %q, %v", got, err)
	}
}

func TestRedisPauses(t *testing.T) {
	t.Parallel()
	server := NewRedisServer(t)
	c := client(t, server.URL)
	server.Pause()
	if err := c.Ping(t.Context()).Err(); err == nil {
		t.Error("paused server answers")
	}
	server.Resume()
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Errorf("after resume: %v", err)
	}
}

func TestRedisEndsWithTheTest(t *testing.T) {
	t.Parallel()
	var server *RedisServer
	t.Run("inner", func(t *testing.T) {
		server = NewRedisServer(t)
		server.Pause() // even a frozen one
	})
	if err := client(t, server.URL).Ping(context.Background()).Err(); err == nil {
		t.Error("server outlives its test")
	}
	if _, err := os.Stat(server.s.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("directory of the server: got %v, want it gone", err)
	}
}

// A port that another server took is left to it.
func TestRedisTellsItsOwnFromAnother(t *testing.T) {
	t.Parallel()
	other := NewRedisServer(t)
	s := &server{port: other.s.port, pid: -1}
	if err := redisReady(s); !errors.Is(err, errPortTaken) {
		t.Errorf("got %v, want errPortTaken", err)
	}
}

func TestMissingBinaryNamesTheWayOut(t *testing.T) {
	t.Parallel()
	_, err := binary("no-such-server")
	const want = "no-such-server is not installed: run `make test`, which installs it, or install Debian's redis-server, mariadb-server, prometheus and chromium"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}
