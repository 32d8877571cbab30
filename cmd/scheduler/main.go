// Command scheduler queues the periodic jobs, once each however many of it run, and
// lets an operator list them or queue one (docs/contract.md, sections 3 and 4).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/govwifi/user-signup/internal/process"
	"github.com/govwifi/user-signup/internal/scheduler"
)

func main() { process.Main(run) }

func run(ctx context.Context, args []string) error {
	command, err := scheduler.Parse(args, time.Now())
	if errors.Is(err, flag.ErrHelp) {
		fmt.Println(scheduler.Usage)
		return nil
	}
	if err != nil {
		return &process.UsageError{Err: err}
	}
	config, err := process.Environment[scheduler.Config]()
	if err != nil {
		return err
	}
	return command(ctx, config, os.Stdout)
}
