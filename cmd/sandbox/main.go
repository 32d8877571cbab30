// Command sandbox runs the whole service on embedded parts, with nothing to install, and a
// page to try it on. With -demo it plays every journey through it, prints what each
// person received, and exits with 0 only if all arrived; with -tour it plays them on the
// page, slowly enough to follow or to record, and goes on.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/govwifi/user-signup/internal/process"
	"github.com/govwifi/user-signup/internal/sandbox"
)

func main() { process.Main(run) }

func run(ctx context.Context, args []string) error {
	if len(args) == 1 && args[0] == sandbox.WorkerCommand {
		return sandbox.RunWorker(ctx)
	}
	flags := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	demo := flags.Bool("demo", false, "play every journey, print what each person received, and exit")
	tour := flags.Bool("tour", false, "play the journeys on the page once it is open, slowly enough to record")
	pause := flags.Duration("pause", 4*time.Second, "how long the tour rests on each scene")
	ingest := flags.String("ingest", "127.0.0.1:8080", "where webhooks are taken")
	console := flags.String("console", "127.0.0.1:8081", "where the page is")
	mail := flags.String("mail", "127.0.0.1:2525", "where mail is taken by SMTP")
	if err := flags.Parse(args); err != nil {
		return &process.UsageError{Err: err}
	}
	if *demo {
		return playDemo(ctx)
	}
	s, err := sandbox.Start(ctx, sandbox.Config{Ingest: *ingest, Console: *console, Mail: *mail, Level: slog.LevelInfo, Log: os.Stderr})
	if err != nil {
		return err
	}
	fmt.Printf(`
GovWifi sign-up runs, on embedded parts that forget everything when it ends.

  Open      %s            a phone, a mailbox, and the way of each message
  Queues    %s/asynqmon
  Webhooks  %s
  Mail      %s                   SMTP, for any mail program

Ctrl-C ends it.

`, s.Console, s.Console, s.World.Ingest, s.Mail)
	var toured error
	if *tour {
		toured = s.Tour(ctx, os.Stdout, *pause)
	}
	return cmp.Or(s.Wait(), toured)
}

// playDemo takes free ports, so that it runs beside a sandbox.
func playDemo(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := sandbox.Start(ctx, sandbox.Config{Ingest: "127.0.0.1:0", Console: "127.0.0.1:0", Mail: "127.0.0.1:0", Level: slog.LevelWarn, Log: os.Stderr})
	if err != nil {
		return err
	}
	if err := s.Demo(ctx, os.Stdout); err != nil {
		return err
	}
	cancel()
	return s.Wait()
}
