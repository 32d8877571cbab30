// Command bare is what the service is measured against: asynq and net/http with
// nothing around them. `bare hello` answers everything; `bare door REDIS` answers every POST with one enqueued task;
// `bare work REDIS PLACES` runs tasks that do nothing. Both print what they listen on
// or "working", and run until they are killed.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
)

// The task has the name, queue and options of the service's own, so that Redis does
// the same work for both.
const (
	name      = "signup-sms"
	queue     = "interactive"
	timeout   = 100 * time.Second
	retention = 24 * time.Hour
)

func main() {
	if os.Args[1] == "hello" {
		serve(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	}
	redis := asynq.RedisClientOpt{Addr: os.Args[2], PoolSize: 128}
	if os.Args[1] == "door" {
		door(redis)
	}
	places, err := strconv.Atoi(os.Args[3])
	if err != nil {
		panic(err)
	}
	server := asynq.NewServer(redis, asynq.Config{Concurrency: places, Queues: map[string]int{queue: 1},
		TaskCheckInterval: 100 * time.Millisecond, LogLevel: asynq.FatalLevel})
	done := asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return nil })
	if err := server.Start(done); err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stderr, "working")
	select {}
}

func door(redis asynq.RedisClientOpt) {
	client := asynq.NewClient(redis)
	serve(func(w http.ResponseWriter, r *http.Request) {
		payload, err := io.ReadAll(r.Body)
		if err == nil {
			_, err = client.EnqueueContext(r.Context(), asynq.NewTask(name, payload),
				asynq.Queue(queue), asynq.Timeout(timeout), asynq.Retention(retention))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
}

func serve(answer http.HandlerFunc) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stderr, "listening on "+listener.Addr().String())
	panic(http.Serve(listener, answer))
}
