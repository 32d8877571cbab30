package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Temper is how long a connection bears with a Redis that does not answer.
type Temper int

// The tempers.
const (
	// Impatient gives up within a context's deadline: a webhook must be
	// answered within 2 s, whatever Redis does.
	Impatient Temper = iota
	// Patient rides out a short restart or failover inside one command.
	Patient
)

// URL is REDIS_URL: redis://, rediss://,
// redis-sentinel://[user:password@]host:port,host:port?master=name[&db=n] or
// redis-cluster://[user:password@]host:port,host:port.
type URL struct {
	connect func(Temper) redis.UniversalClient
}

// UnmarshalText reads a URL. Errors do not repeat it: it may hold a password.
func (u *URL) UnmarshalText(text []byte) error {
	scheme, rest, ok := strings.Cut(string(text), "://")
	if !ok {
		return errors.New("has no scheme such as redis://")
	}
	switch scheme {
	case "redis", "rediss":
		if _, err := redis.ParseURL(string(text)); err != nil {
			return fmt.Errorf("is no valid %s URL", scheme)
		}
		u.connect = func(t Temper) redis.UniversalClient {
			o, _ := redis.ParseURL(string(text)) // parsed above; each pool owns its options
			return redis.NewClient(t.single(o))
		}
		return nil
	case "redis-sentinel", "redis-cluster":
		hosts, parsed, err := parseMany(rest)
		if err != nil {
			return fmt.Errorf("is no valid %s URL", scheme)
		}
		return u.many(scheme, hosts, parsed)
	}
	return fmt.Errorf("has the unknown scheme %q", scheme)
}

func (u *URL) many(scheme string, hosts []string, parsed *url.URL) error {
	if scheme == "redis-cluster" {
		u.connect = func(t Temper) redis.UniversalClient { return redis.NewClusterClient(t.cluster(hosts, parsed)) }
		return nil
	}
	if parsed.Query().Get("master") == "" {
		return errors.New("has no master=name, which Sentinel is asked for")
	}
	u.connect = func(t Temper) redis.UniversalClient { return redis.NewFailoverClient(t.sentinel(hosts, parsed)) }
	return nil
}

// Conn is an open pool, as the packages that share it need it.
type Conn = redis.UniversalClient

// Connect makes a pool. Nothing is dialled until the first command.
func (u URL) Connect(t Temper) redis.UniversalClient { return u.connect(t) }

// Single is asynq's own way to a single Redis, for its dashboard, which takes no
// open connection.
func (u URL) Single() asynq.RedisConnOpt {
	c, ok := u.Connect(Patient).(*redis.Client)
	if !ok {
		return nil
	}
	defer func() { _ = c.Close() }() // nothing was dialled
	return asynq.RedisClientOpt{Addr: c.Options().Addr, Username: c.Options().Username, Password: c.Options().Password, DB: c.Options().DB}
}

// parseMany reads what follows the scheme: credentials, a comma list of hosts and
// a query. net/url refuses such a list as a port.
func parseMany(rest string) ([]string, *url.URL, error) {
	credentials, hostPart := "", rest
	if i := strings.LastIndex(rest, "@"); i >= 0 {
		credentials, hostPart = rest[:i+1], rest[i+1:]
	}
	list, query, _ := strings.Cut(hostPart, "?")
	hosts := strings.Split(strings.TrimSuffix(list, "/"), ",")
	for _, host := range hosts {
		if host == "" {
			return nil, nil, errors.New("empty host")
		}
	}
	u, err := url.Parse("redis://" + credentials + "hosts/?" + query)
	return hosts, u, err
}

const (
	dialTimeout   = time.Second
	socketTimeout = 3 * time.Second
	// poolSize is above the requests or jobs that one process works on at once,
	// so that none waits for a connection.
	poolSize = 128
)

// notifications of maintenance are a Redis Enterprise matter; asking for them costs
// a failed command on every new connection elsewhere.
func noMaintenance() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

func (t Temper) retries() int {
	if t == Impatient {
		return 1
	}
	return 3
}

// buffer is how many bytes a connection holds for reading, and again for writing. What is
// shared by many requests (commit.go) leaves in one piece of go-redis's own 32 KiB; the
// dozens of connections of a worker carry one job each, of about 1 KB.
func (t Temper) buffer() int {
	if t == Impatient {
		return 32 << 10
	}
	return 4 << 10
}

func (t Temper) single(o *redis.Options) *redis.Options {
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = dialTimeout, socketTimeout, socketTimeout
	o.PoolSize, o.PoolTimeout = poolSize, socketTimeout
	o.ReadBufferSize, o.WriteBufferSize = t.buffer(), t.buffer()
	o.MaxRetries, o.ContextTimeoutEnabled = t.retries(), true
	o.DisableIdentity, o.DialerRetries, o.MaintNotificationsConfig = true, 1, noMaintenance()
	return o
}

func (t Temper) cluster(hosts []string, u *url.URL) *redis.ClusterOptions {
	password, _ := u.User.Password()
	return &redis.ClusterOptions{
		Addrs: hosts, Username: u.User.Username(), Password: password,
		DialTimeout: dialTimeout, ReadTimeout: socketTimeout, WriteTimeout: socketTimeout,
		PoolSize: poolSize, PoolTimeout: socketTimeout, ReadBufferSize: t.buffer(), WriteBufferSize: t.buffer(),
		MaxRetries: t.retries(), ContextTimeoutEnabled: true,
		DisableIdentity: true, DialerRetries: 1, MaintNotificationsConfig: noMaintenance(),
	}
}

func (t Temper) sentinel(hosts []string, u *url.URL) *redis.FailoverOptions {
	password, _ := u.User.Password()
	db := 0
	_, _ = fmt.Sscanf(u.Query().Get("db"), "%d", &db)
	return &redis.FailoverOptions{
		MasterName: u.Query().Get("master"), SentinelAddrs: hosts,
		Username: u.User.Username(), Password: password, DB: db,
		DialTimeout: dialTimeout, ReadTimeout: socketTimeout, WriteTimeout: socketTimeout,
		PoolSize: poolSize, PoolTimeout: socketTimeout, ReadBufferSize: t.buffer(), WriteBufferSize: t.buffer(),
		MaxRetries: t.retries(), ContextTimeoutEnabled: true,
		DisableIdentity: true, DialerRetries: 1,
	}
}

// LogTo gives go-redis's own words to our logger, which masks them; it would write
// to standard error itself. They are many while Redis is away, and every failed
// command is reported by whoever sent it, so they are debug lines.
func LogTo(log *slog.Logger) { redis.SetLogger(redisLog{log}) }

type redisLog struct{ log *slog.Logger }

// Printf is go-redis's only word.
func (l redisLog) Printf(ctx context.Context, format string, args ...any) {
	l.log.DebugContext(ctx, "redis: "+fmt.Sprintf(format, args...))
}
