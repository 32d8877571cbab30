// Command standins is the world around the service in a stack of containers:
// `standins notify` is GOV.UK Notify, `standins aws` is S3, SES and SNS, and
// `standins smoke` is people who write to the service and wait for its replies.
package main

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/govwifi/user-signup/internal/process"
	"github.com/govwifi/user-signup/internal/standins"
)

func main() { process.Main(run) }

func run(ctx context.Context, args []string) error {
	switch strings.Join(args, " ") {
	case "notify":
		return with(ctx, standins.Notify)
	case "aws":
		return with(ctx, standins.AWS)
	case "smoke":
		return with(ctx, func(ctx context.Context, c standins.SmokeConfig) error { return standins.Smoke(ctx, c, os.Stdout) })
	}
	return &process.UsageError{Err: errors.New("usage: standins notify|aws|smoke")}
}

// with runs a command on the configuration that it asks for.
func with[C any](ctx context.Context, command func(context.Context, C) error) error {
	config, err := process.Environment[C]()
	if err != nil {
		return err
	}
	return command(ctx, config)
}
