// Package year makes the figures of a year: it fills the table of users with a year of
// people, has the service's own statistics jobs count them, and reads the objects that
// they published.
package year

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/s3/s3test"
)

// Bucket is where the jobs publish (S3_METRICS_BUCKET).
const Bucket = "govwifi-sandbox-metrics"

// What is counted: the last four weeks by day, and the year by month.
const (
	days   = 28
	months = 12
)

// Config is what a year is made of.
type Config struct {
	// Table takes the people.
	Table interface {
		Seed(ctx context.Context, day time.Time) error
	}
	// Jobs takes the statistics jobs.
	Jobs interface {
		Enqueue(ctx context.Context, j job.Job) error
	}
	// Objects is where they publish.
	Objects *s3test.Server
	// Today is the jobs' date.
	Today time.Time
	// Changed is called as the count goes on.
	Changed func()
}

// Year begins to count when it is first looked at, so that nobody else waits for it.
type Year struct {
	Config

	once   sync.Once
	wanted chan struct{}
	mu     sync.Mutex
	err    error
}

// New makes a year that nobody has looked at.
func New(c Config) *Year { return &Year{Config: c, wanted: make(chan struct{})} }

// Count is one job's output.
type Count struct {
	// Day is the day that it counts or, for a month, the last day of it.
	Day        time.Time
	SignUps    govwifi.Volumetrics
	Completion govwifi.CompletionRate
}

// Figures is what is known so far.
type Figures struct {
	// Days and Months are in the order of time.
	Days, Months []Count
	// Done of All jobs have published.
	Done, All int
	// Err says why there will be no more.
	Err error
}

// Ready says that all has been counted.
func (f Figures) Ready() bool { return f.Done == f.All }

// Figures reads what has been published, and begins the count if nobody has.
func (y *Year) Figures() Figures {
	y.once.Do(func() { close(y.wanted) })
	runs := y.runs()
	f := Figures{All: len(runs)}
	for _, r := range runs {
		count, ok := y.read(r)
		switch {
		case !ok:
			continue
		case r.Period == job.Day:
			f.Days = append(f.Days, count)
		default:
			f.Months = append(f.Months, count)
		}
		f.Done++
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	f.Err = y.err
	return f
}

// runs are the jobs, the oldest date first.
func (y *Year) runs() []job.PublishStatistics {
	var runs []job.PublishStatistics
	add := func(date time.Time, period govwifi.Period) {
		text := date.Format(time.DateOnly)
		runs = append(runs, job.PublishStatistics{Run: job.Run{Date: text, Tick: "sandbox-" + string(period) + "-" + text}, Period: period})
	}
	first := time.Date(y.Today.Year(), y.Today.Month(), 1, 0, 0, 0, 0, time.UTC)
	for back := range months {
		add(first.AddDate(0, -back, 0), job.Month)
	}
	for back := range days {
		add(y.Today.AddDate(0, 0, -back), job.Day)
	}
	slices.Reverse(runs)
	return runs
}

// Run waits until somebody looks, seeds the table, queues the jobs and tells of each that
// has published. It ends with ctx.
func (y *Year) Run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-y.wanted:
	}
	if err := y.begin(ctx); err != nil {
		y.mu.Lock()
		y.err = err
		y.mu.Unlock()
		y.Changed()
		return nil // the page says why; the rest of the sandbox goes on
	}
	ticker := time.NewTicker(200 * time.Millisecond) // the stand-in for S3 cannot be waited for
	defer ticker.Stop()
	for seen := 0; seen < len(y.runs()); {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if done := y.Figures().Done; done != seen {
			seen = done
			y.Changed()
		}
	}
	return nil
}

func (y *Year) begin(ctx context.Context) error {
	if err := y.Table.Seed(ctx, y.Today); err != nil {
		return err
	}
	for _, r := range y.runs() {
		if err := y.Jobs.Enqueue(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// read is a job's output, or false while it has none.
func (y *Year) read(r job.PublishStatistics) (Count, bool) {
	date, err := time.Parse(time.DateOnly, r.Date)
	if err != nil {
		return Count{}, false
	}
	c := Count{Day: date.AddDate(0, 0, -1)}
	return c, y.object("volumetrics", r, &c.SignUps) && y.object("completion_rate", r, &c.Completion)
}

func (y *Year) object(metric string, r job.PublishStatistics, into any) bool {
	o, ok := y.Objects.Get(Bucket, fmt.Sprintf("%s/%s-%s-%s", metric, metric, r.Period, r.Date))
	return ok && json.Unmarshal(o.Body, into) == nil
}
