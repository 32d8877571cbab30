// Package standins is the world around the service as programs, for a stack of
// containers: GOV.UK Notify on one side, AWS (S3, SES and SNS) on the other, and a
// person who writes to both and reads what comes back. It holds no imitation of its
// own: they are those of the tests and of the sandbox, served.
package standins

import (
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/govwifi/user-signup/internal/telemetry"
)

// Admin is the listener for operators, which every stand-in has like every service.
type Admin struct {
	// Addr has /livez, which the images' health check asks.
	Addr string `env:"ADMIN_ADDR" envDefault:":9090"`
}

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// site is one HTTP server of a stand-in.
type site struct {
	addr    string
	handler http.Handler
}

// serve serves all sites until ctx ends.
func serve(ctx context.Context, admin Admin, sites ...site) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range sites {
		listener, err := net.Listen("tcp", s.addr)
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		server := &http.Server{Handler: s.handler, ReadHeaderTimeout: 10 * time.Second}
		group.Go(func() error { return telemetry.ServeUntil(ctx, server, listener) })
	}
	listener, err := net.Listen("tcp", admin.Addr)
	if err != nil {
		return fmt.Errorf("listen on ADMIN_ADDR: %w", err)
	}
	ready := func(context.Context) error { return nil }
	group.Go(func() error {
		return telemetry.Admin{Metrics: telemetry.NewMetrics(), Ready: ready}.Serve(ctx, listener)
	})
	return group.Wait()
}

// show answers with the page.
func show(w http.ResponseWriter, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := page.Execute(w, data); err != nil {
		panic(http.ErrAbortHandler) // half a page is out: cut it rather than pretend
	}
}
