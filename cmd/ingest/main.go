// Command ingest takes webhooks from AWS SNS and GOV.UK Notify and queues a job for
// each (docs/contract.md, sections 1 and 3).
package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/govwifi/user-signup/internal/ingest"
	"github.com/govwifi/user-signup/internal/process"
)

func main() { process.Main(run) }

func run(ctx context.Context, args []string) error {
	if len(args) == 1 && process.AsksForHelp(args[0]) {
		fmt.Println("usage: ingest\nIt takes webhooks until SIGTERM, and is configured by its environment: docs/contract.md, section 3")
		return nil
	}
	if len(args) > 0 {
		return &process.UsageError{Err: errors.New("ingest takes no arguments; it is configured by its environment")}
	}
	config, err := process.Environment[ingest.Config]()
	if err != nil {
		return err
	}
	return ingest.Run(ctx, config)
}
