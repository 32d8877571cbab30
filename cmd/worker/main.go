// Command worker works the queues; `worker migrate` brings the database's schema up to
// date, `worker check` tries every dependency, `worker archive` shows, runs again or
// deletes what was given up (docs/contract.md, sections 3 and 4, and Additions).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/govwifi/user-signup/internal/process"
	"github.com/govwifi/user-signup/internal/worker"
)

func main() { process.Main(run) }

const usage = `usage:
  worker                          work the queues until SIGTERM
  worker migrate                  bring the database's schema up to date; safe to run twice, and at once
  worker check                    look whether Redis, MySQL, Notify and S3 will do, a line each
  worker archive list|run|delete  the jobs that were given up (worker archive -h)
It is configured by its environment: docs/contract.md, section 3`

func run(ctx context.Context, args []string) error {
	command := ""
	if len(args) > 0 {
		command = args[0]
	}
	switch {
	case command == "archive":
		return archive(ctx, args[1:])
	case process.AsksForHelp(command):
		fmt.Println(usage)
		return nil
	case len(args) > 1:
		return &process.UsageError{Err: fmt.Errorf("`worker %s` takes no arguments, but got %q\n%s", command, args[1], usage)}
	case command == "migrate":
		return with(ctx, worker.Migrate)
	case command == "check":
		return with(ctx, func(ctx context.Context, c worker.Config) error { return worker.Check(ctx, c, os.Stdout) })
	case command == "":
		return with(ctx, worker.Run)
	}
	return &process.UsageError{Err: fmt.Errorf("there is no command %q\n%s", command, usage)}
}

func archive(ctx context.Context, args []string) error {
	command, err := worker.ParseArchive(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Println(worker.ArchiveUsage)
		return nil
	}
	if err != nil {
		return &process.UsageError{Err: err}
	}
	return with(ctx, func(ctx context.Context, c worker.ArchiveConfig) error { return command.Run(ctx, c, os.Stdout) })
}

// with runs a command on the configuration that it asks for.
func with[C any](ctx context.Context, command func(context.Context, C) error) error {
	config, err := process.Environment[C]()
	if err != nil {
		return err
	}
	return command(ctx, config)
}
