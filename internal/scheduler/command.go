package scheduler

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/govwifi/user-signup/internal/job"
)

// Usage says how the program is called.
const Usage = `usage:
  scheduler                                       keep the timetable until SIGTERM
  scheduler jobs                                  list the periodic jobs, their schedules, last and next run
  scheduler run JOB [-date D] [-period P] [-wait] queue one now; with -wait until it is done
                                                  (D is like 2026-11-22 and by default today in UTC;
                                                  recover-texts and recover-mail look from its
                                                  beginning on, by default for the last 24 hours;
                                                  P is day, week or month, of publish-statistics)`

// Command is what the arguments ask for.
type Command func(ctx context.Context, c Config, out io.Writer) error

// Parse reads the arguments. Every error is the caller's fault, and says what is
// allowed. It returns flag.ErrHelp when asked for help.
func Parse(args []string, now time.Time) (Command, error) {
	if len(args) == 0 {
		return func(ctx context.Context, c Config, _ io.Writer) error { return Run(ctx, c) }, nil
	}
	switch args[0] {
	case "jobs":
		if len(args) > 1 {
			return nil, fmt.Errorf("`scheduler jobs` takes no arguments, but got %q", args[1])
		}
		return List, nil
	case "run":
		r, err := parseRun(args[1:], now)
		if err != nil {
			return nil, err
		}
		return r.run, nil
	case "help", "-h", "-help", "--help":
		return nil, flag.ErrHelp
	}
	return nil, fmt.Errorf("there is no command %q\n%s", args[0], Usage)
}

// byHand is a `scheduler run`.
type byHand struct {
	job  job.Job
	wait bool
}

func parseRun(args []string, now time.Time) (byHand, error) {
	flags := flag.NewFlagSet("scheduler run", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	date := flags.String("date", "", "")
	period := flags.String("period", "", "")
	wait := flags.Bool("wait", false, "")
	var names []string
	for { // flags may stand before and after the job
		if err := flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return byHand{}, err
			}
			return byHand{}, fmt.Errorf("%w\n%s", err, Usage)
		}
		if flags.NArg() == 0 {
			break
		}
		names, args = append(names, flags.Arg(0)), flags.Args()[1:]
	}
	if len(names) != 1 {
		return byHand{}, fmt.Errorf("name one job, not %d; the jobs are %s", len(names), enumerate(jobNames()))
	}
	run := job.Run{Date: now.UTC().Format(time.DateOnly), Tick: randomTick(), Since: now.UTC().Truncate(time.Second).Add(-job.LookBack)}
	if *date != "" {
		day, err := readDate(*date, now)
		if err != nil {
			return byHand{}, err
		}
		run.Date, run.Since = *date, day
	}
	entry, err := find(names[0], *period)
	if err != nil {
		return byHand{}, err
	}
	switch entry.Make(run).(type) {
	case job.RecoverTexts, job.RecoverMail:
		if run.Since, err = withinReach(run.Since, now); err != nil {
			return byHand{}, err
		}
	}
	return byHand{entry.Make(run), *wait}, nil
}

// withinReach is the time from which a recovery really looks, for the operator to see. It
// fails where nothing of the day at which it is to begin is in reach.
func withinReach(since, now time.Time) (time.Time, error) {
	from := job.WithinReach(since, now.UTC().Truncate(time.Second))
	if since.Before(from.Truncate(24 * time.Hour)) {
		return from, fmt.Errorf("%s is too long ago: what was lost is found for 6 days, now from %s on",
			since.Format(time.DateOnly), from.Format("2006-01-02 15:04 UTC"))
	}
	return from, nil
}

func readDate(date string, now time.Time) (time.Time, error) {
	day, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no date: give a day of the calendar like 2026-11-22", date)
	}
	if day.After(now) {
		return time.Time{}, fmt.Errorf("%s is in the future: today is %s in UTC, and the last date allowed", date, now.UTC().Format(time.DateOnly))
	}
	return day, nil
}

// find takes a job's wire name, with a period where it has periods (by default the
// first), or an entry's name as `scheduler jobs` lists it.
func find(name, period string) (job.Periodic, error) {
	var periods []string
	for _, p := range job.Periodics() {
		if p.Name == name && period == "" {
			return p, nil
		}
		of, found := strings.CutPrefix(p.Name, name+"-")
		if !found || p.Make(job.Run{}).Spec().Name != name {
			continue
		}
		if period == "" || period == of {
			return p, nil
		}
		periods = append(periods, of)
	}
	switch {
	case len(periods) > 0:
		return job.Periodic{}, fmt.Errorf("%q is no period of %s; its periods are %s", period, name, enumerate(periods))
	case slices.ContainsFunc(job.Periodics(), func(p job.Periodic) bool { return p.Name == name }):
		return job.Periodic{}, fmt.Errorf("%s takes no -period", name)
	}
	return job.Periodic{}, fmt.Errorf("there is no periodic job %q; the jobs are %s", name, enumerate(jobNames()))
}

// jobNames are the wire names of the periodic jobs.
func jobNames() []string {
	var names []string
	for _, p := range job.Periodics() {
		if name := p.Make(job.Run{}).Spec().Name; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func enumerate(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}
