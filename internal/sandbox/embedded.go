package sandbox

import (
	"fmt"
	"net"
	"sync/atomic"

	"github.com/alicebob/miniredis/v2"
	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/memory"
	"github.com/dolthub/go-mysql-server/server"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/sirupsen/logrus"

	"github.com/govwifi/user-signup/internal/queue"
	"github.com/govwifi/user-signup/internal/worker"
)

// startRedis starts an embedded Redis whose keys expire in real time. It keeps
// nothing: what is in it ends with the process. Its URL comes as text too, for the worker's
// environment.
func startRedis() (u queue.URL, text string, stop func(), err error) {
	redis := miniredis.NewMiniRedis()
	redis.ClockTTL(true)
	if err := redis.StartAddr("127.0.0.1:0"); err != nil {
		return u, "", nil, fmt.Errorf("start the embedded Redis: %w", err)
	}
	text = "redis://" + redis.Addr()
	if err := u.UnmarshalText([]byte(text)); err != nil {
		redis.Close()
		return u, "", nil, err
	}
	return u, text, redis.Close, nil
}

const databaseName = "govwifi_sandbox_users"

// startMySQL starts an embedded MySQL with an empty database.
func startMySQL() (worker.Database, func(), error) {
	logrus.SetLevel(logrus.ErrorLevel) // go-mysql-server logs every connection
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return worker.Database{}, nil, fmt.Errorf("listen for the embedded MySQL: %w", err)
	}
	database := memory.NewDatabase(databaseName)
	database.EnablePrimaryKeyIndexes()
	provider := memory.NewDBProvider(database)
	mysql, err := server.NewServer(server.Config{Protocol: "tcp", Listener: oneAtATime{listener, make(chan struct{}, 1)}},
		sqle.NewDefault(provider), sql.NewContext, memory.NewSessionBuilder(provider), nil)
	if err != nil {
		_ = listener.Close()
		return worker.Database{}, nil, fmt.Errorf("start the embedded MySQL: %w", err)
	}
	served := make(chan error, 1)
	go func() { served <- mysql.Start() }()
	stop := func() {
		_ = mysql.Close()
		<-served
	}
	return worker.Database{Hostname: listener.Addr().String(), Name: databaseName, User: "root", TLS: "false", MaxConns: 1}, stop, nil
}

// oneAtATime has the embedded database serve one connection after the other, a command at
// a time. Its sessions each work on a copy of a table and put it back whole, so of two
// that write at once one would undo the other.
type oneAtATime struct {
	net.Listener
	turn chan struct{}
}

// Accept makes a connection wait for its turn with each command.
func (o oneAtATime) Accept() (net.Conn, error) {
	conn, err := o.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &turnTaker{Conn: conn, turn: o.turn}, nil
}

// turnTaker has the turn from the arrival of a command until the server, its answer
// given, comes back to read the next.
type turnTaker struct {
	net.Conn
	turn chan struct{}
	has  atomic.Bool
}

// Read gives the turn back while there is nothing to do.
func (t *turnTaker) Read(b []byte) (int, error) {
	t.pass()
	n, err := t.Conn.Read(b)
	if n > 0 {
		t.turn <- struct{}{}
		t.has.Store(true)
	}
	return n, err
}

// Close gives the turn back for good.
func (t *turnTaker) Close() error {
	t.pass()
	return t.Conn.Close()
}

func (t *turnTaker) pass() {
	if t.has.CompareAndSwap(true, false) {
		<-t.turn
	}
}
