package worker

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/queue"
)

// ArchiveUsage says how `worker archive` is called.
const ArchiveUsage = `usage: worker archive list|run|delete [-job NAME] [-queue QUEUE] [-reason TEXT] [-key KEY] [-all]
  list     show the jobs that were given up: queue, job, key, whom it is about, end, attempts, reason
  run      give each another run, with all of its patience; Notify is asked before a message is sent again
  delete   forget them
Without a filter, run and delete want -all; -reason is looked for anywhere in a job's reason`

// ArchiveConfig is what `worker archive` needs of the environment. It opens no payload,
// so it needs no keys.
type ArchiveConfig struct {
	RedisURL queue.URL `env:"REDIS_URL,required,notEmpty"`
}

// ArchiveCommand is one `worker archive`.
type ArchiveCommand struct {
	verb      string
	selection queue.Selection
}

// ParseArchive reads what follows `worker archive`. Every error is the caller's fault. It
// returns flag.ErrHelp when asked for help.
func ParseArchive(args []string) (ArchiveCommand, error) {
	var c ArchiveCommand
	flags := flag.NewFlagSet("worker archive", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.selection.Job, "job", "", "")
	flags.StringVar(&c.selection.Queue, "queue", "", "")
	flags.StringVar(&c.selection.Reason, "reason", "", "")
	flags.StringVar(&c.selection.Key, "key", "", "")
	all := flags.Bool("all", false, "")
	for { // flags may stand before and after the word
		if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
			return c, err
		} else if err != nil {
			return c, fmt.Errorf("%w\n%s", err, ArchiveUsage)
		}
		if flags.NArg() == 0 {
			return c, c.check(*all)
		}
		if c.verb != "" {
			return c, fmt.Errorf("%q is one word too many\n%s", flags.Arg(0), ArchiveUsage)
		}
		c.verb, args = flags.Arg(0), flags.Args()[1:]
	}
}

// check finds what must not be done by mistake.
func (c ArchiveCommand) check(all bool) error {
	filtered := c.selection != queue.Selection{}
	switch {
	case !slices.Contains([]string{"list", "run", "delete"}, c.verb):
		return errors.New(ArchiveUsage)
	case c.selection.Queue != "" && !slices.Contains(job.Queues(), job.Queue(c.selection.Queue)):
		return fmt.Errorf("there is no queue %q; the queues are %v", c.selection.Queue, job.Queues())
	case all && filtered:
		return errors.New("-all and a filter contradict each other: leave one of them out")
	case !all && !filtered && c.verb != "list":
		return fmt.Errorf("`worker archive %s` without a filter means every job: say -all if you mean it", c.verb)
	}
	return nil
}

// Run does it, and prints a line for each job and how many there were.
func (c ArchiveCommand) Run(ctx context.Context, config ArchiveConfig, out io.Writer) error {
	queue.LogTo(slog.New(slog.DiscardHandler))
	rdb := config.RedisURL.Connect(queue.Patient)
	defer func() { _ = rdb.Close() }()
	if err := rdb.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("reach Redis: %w; check REDIS_URL, and that Redis runs", err)
	}
	archive := queue.NewClient(rdb, nil).Archive()
	jobs, err := archive.List(ctx, c.selection)
	if err != nil {
		return err
	}
	if len(jobs) == 0 && c.selection != (queue.Selection{}) {
		_, err := fmt.Fprintln(out, "no job in the archive is like that")
		return err
	}
	act, done := archive.Run, "run again: %d of %d\n"
	switch c.verb {
	case "list":
		for _, j := range jobs {
			printGivenUp(out, j)
		}
		_, err := fmt.Fprintf(out, "in the archive: %d\n", len(jobs))
		return err
	case "delete":
		act, done = archive.Delete, "deleted: %d of %d\n"
	}
	n := 0
	for _, j := range jobs {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("stopped after %d of %d jobs: %w", n, len(jobs), err)
		}
		did, err := act(ctx, j)
		if err != nil {
			return fmt.Errorf("stopped after %d of %d jobs: %w", n, len(jobs), err)
		}
		if did { // else somebody was quicker
			n++
			printGivenUp(out, j)
		}
	}
	_, err = fmt.Fprintf(out, done, n, len(jobs))
	return err
}

// printGivenUp prints two lines: what the job is, and why it was given up.
func printGivenUp(out io.Writer, j queue.GivenUp) {
	died := "never tried"
	if !j.Died.IsZero() {
		died = fmt.Sprintf("%s, attempts: %d", j.Died.UTC().Format(time.RFC3339), j.Attempts)
	}
	_, _ = fmt.Fprintf(out, "%s  %s  %s  %s  %s\n    %s\n", j.Queue, j.Job, j.Key, j.Label, died, j.Reason)
}
