package sandbox

import (
	"fmt"
	"net"

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
// nothing: what is in it ends with the process.
func startRedis() (queue.URL, func(), error) {
	var u queue.URL
	redis := miniredis.NewMiniRedis()
	redis.ClockTTL(true)
	if err := redis.StartAddr("127.0.0.1:0"); err != nil {
		return u, nil, fmt.Errorf("start the embedded Redis: %w", err)
	}
	if err := u.UnmarshalText([]byte("redis://" + redis.Addr())); err != nil {
		redis.Close()
		return u, nil, err
	}
	return u, redis.Close, nil
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
	mysql, err := server.NewServer(server.Config{Protocol: "tcp", Listener: listener},
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
