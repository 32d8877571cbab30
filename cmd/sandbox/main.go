// Command sandbox runs the whole service in one process on embedded parts, with
// nothing to install. With -demo it plays every journey through it, prints what each
// person received, and exits with 0 only if all arrived.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"

	"github.com/govwifi/user-signup/internal/process"
	"github.com/govwifi/user-signup/internal/sandbox"
)

func main() { process.Main(run) }

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	demo := flags.Bool("demo", false, "play every journey, print what each person received, and exit")
	if err := flags.Parse(args); err != nil {
		return &process.UsageError{Err: err}
	}
	if *demo {
		return playDemo(ctx)
	}
	s, err := sandbox.Start(ctx, sandbox.Config{Ingest: "127.0.0.1:8080", Console: "127.0.0.1:8081", Level: slog.LevelInfo, Log: os.Stderr})
	if err != nil {
		return err
	}
	fmt.Printf(`
GovWifi sign-up runs, on embedded parts that forget everything when it ends.

  Open      %s            send a text or a mail, read the answers
  Queues    %s/asynqmon
  Webhooks  %s

Ctrl-C ends it.

`, s.Console, s.Console, s.World.Ingest)
	return s.Wait()
}

// playDemo takes free ports, so that it runs beside a sandbox.
func playDemo(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := sandbox.Start(ctx, sandbox.Config{Ingest: "127.0.0.1:0", Console: "127.0.0.1:0", Level: slog.LevelWarn, Log: os.Stderr})
	if err != nil {
		return err
	}
	if err := s.Demo(ctx, os.Stdout); err != nil {
		return err
	}
	cancel()
	return s.Wait()
}
