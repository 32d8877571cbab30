package scheduler

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/govwifi/user-signup/internal/queue"
)

// List prints the periodic jobs with their schedules, last and next runs.
func List(ctx context.Context, c Config, out io.Writer) error {
	c.logger()
	rdb := c.RedisURL.Connect(queue.Impatient)
	defer func() { _ = rdb.Close() }()
	known, err := queue.NewClient(rdb, c.SealKeys.Sealer).Settled(ctx)
	if err != nil {
		return err
	}
	return list(c.Schedules.Timetable(), known, time.Now(), out)
}

func list(timetable []Entry, known map[string]queue.Settled, now time.Time, out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "JOB\tSCHEDULE (UTC)\tLAST RUN\tNEXT RUN")
	for _, e := range timetable {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", e.Name, e.Schedule, minute(known[e.Name].Ran), minute(e.next(now.UTC())))
	}
	return table.Flush()
}

// minute is a time of the timetable, all of which are on the minute.
func minute(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("Mon 2006-01-02 15:04")
}
