package process

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// healthcheckWord, as the only argument of any binary, asks the process of the same
// container whether it lives. An image with nothing in it but the binary has no curl.
const healthcheckWord = "-healthcheck"

// healthcheckTime is below the timeout of the images' HEALTHCHECK.
const healthcheckTime = 2 * time.Second

// orHealthcheck is run, or the health check if that is what is asked for. It asks
// /livez, which asks nobody else: a platform that replaces unhealthy containers must
// not replace them all because Redis is away. No other variable is read, so it costs
// no connection and needs no secret.
func orHealthcheck(run func(ctx context.Context, args []string) error) func(context.Context, []string) error {
	return func(ctx context.Context, args []string) error {
		if len(args) == 1 && args[0] == healthcheckWord {
			return healthcheck(ctx, os.Getenv("ADMIN_ADDR"))
		}
		return run(ctx, args)
	}
}

// healthcheck asks the admin listener at the address that ADMIN_ADDR holds.
func healthcheck(ctx context.Context, admin string) error {
	url, err := livez(admin)
	if err != nil {
		return &UsageError{err}
	}
	ctx, cancel := context.WithTimeout(ctx, healthcheckTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return &UsageError{fmt.Errorf("read ADMIN_ADDR: %w", err)}
	}
	// Its own transport: HTTP_PROXY is for what lies outside the container.
	response, err := (&http.Transport{}).RoundTrip(request)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	if err := response.Body.Close(); err != nil {
		return fmt.Errorf("read the answer of %s: %w", url, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("ask %s: it answers %s", url, response.Status)
	}
	return nil
}

// livez is where a process with this ADMIN_ADDR says that it lives.
func livez(admin string) (string, error) {
	if admin == "" {
		admin = ":9090"
	}
	host, port, err := net.SplitHostPort(admin)
	if err != nil {
		return "", fmt.Errorf("read ADMIN_ADDR: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port) + "/livez", nil
}
