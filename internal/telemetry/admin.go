package telemetry

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Addr is where a listener listens, [host]:port: INGEST_ADDR, ADMIN_ADDR.
type Addr string

// UnmarshalText takes a port in figures; 0 is any that is free.
func (a *Addr) UnmarshalText(text []byte) error {
	_, port, err := net.SplitHostPort(string(text))
	if _, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil {
		return errors.New("is no address to listen on, such as :8080 or 127.0.0.1:8080")
	}
	*a = Addr(text)
	return nil
}

// Admin is the listener for operators: /metrics, /livez and /readyz. It is apart
// from the public one so that neither is reached by the other's visitors.
type Admin struct {
	// Metrics are served at /metrics.
	Metrics Metrics
	// Ready is asked by /readyz. /livez asks nobody: a process whose neighbour is
	// down must not be restarted for it.
	Ready func(context.Context) error
}

// readyTimeout is below what load balancers and schedulers wait.
const readyTimeout = 2 * time.Second

// Serve answers on the listener until ctx ends.
func (a Admin) Serve(ctx context.Context, listener net.Listener) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.Metrics.Registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("alive\n"))
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		if err := a.Ready(ctx); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ready\n"))
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	return ServeUntil(ctx, server, listener)
}

// drainTime is how long open requests may go on after the context has ended.
const drainTime = 5 * time.Second

// ServeUntil serves until ctx ends, then lets open requests finish for 5 s and cuts off
// what is still open. That is no error: whoever got no answer sends again, and to
// Shutdown even a connection that a browser opened ahead of its need is a request.
func ServeUntil(ctx context.Context, server *http.Server, listener net.Listener) error {
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	err := server.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		return server.Close()
	}
	return err
}
