// Package process is what every main does the same way: read the environment,
// report all that is wrong with it at once, serve until a signal, exit once.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"
)

// gcPercent lets the heap grow to three times what is alive before it is collected. Alive
// are a few MB in all our programs, so with Go's own 100 a busy one collected every few
// hundred requests (docs/decisions/0018-cores.md).
const gcPercent = 200

// The exit codes (docs/contract.md, Commands).
const (
	exitOK            = 0
	exitFailure       = 1
	exitConfiguration = 2
)

// UsageError is a fault of whoever started the program: bad configuration, an
// unknown command. It exits with 2.
type UsageError struct{ Err error }

// Error is the cause.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *UsageError) Unwrap() error { return e.Err }

// Main calls run with a context that ends at the first SIGTERM or SIGINT, and exits:
// 0 after nil, 2 after a UsageError, 1 after any other error, which is printed to
// standard error. A second signal kills at once. With -healthcheck as the only argument
// it asks the running process whether it lives instead (health.go).
func Main(run func(ctx context.Context, args []string) error) {
	if os.Getenv("GOGC") == "" { // an operator's word counts
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop)
	os.Exit(code(orHealthcheck(run)(ctx, os.Args[1:])))
}

// AsksForHelp recognises the words by which people ask how a program is called.
func AsksForHelp(word string) bool {
	return slices.Contains([]string{"help", "-h", "-help", "--help"}, word)
}

func code(err error) int {
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(os.Stderr, err)
	var usage *UsageError
	if errors.As(err, &usage) {
		return exitConfiguration
	}
	return exitFailure
}
