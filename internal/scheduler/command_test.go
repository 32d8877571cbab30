package scheduler

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/queue"
	"github.com/govwifi/user-signup/internal/testenv"
)

const allJobs = "publish-statistics, delete-inactive-users, warn-inactive-users, send-surveys, send-followups, copy-notifications, backup-templates, recover-texts and recover-mail"

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"start":                                       "there is no command \"start\"\nusage:",
		"jobs all":                                    "`scheduler jobs` takes no arguments, but got \"all\"",
		"run":                                         "name one job, not 0; the jobs are " + allJobs,
		"run send-surveys send-followups":             "name one job, not 2; the jobs are " + allJobs,
		"run signup-sms":                              "there is no periodic job \"signup-sms\"; the jobs are " + allJobs,
		"run publish":                                 "there is no periodic job \"publish\"; the jobs are " + allJobs,
		"run send-surveys -date 2026-13-01":           "\"2026-13-01\" is no date: give a day of the calendar like 2026-11-22",
		"run send-surveys -date 2026-02-29":           "\"2026-02-29\" is no date",
		"run send-surveys -date 22/11/2026":           "\"22/11/2026\" is no date",
		"run send-surveys -date 2026-11-23":           "2026-11-23 is in the future: today is 2026-11-22 in UTC",
		"run recover-mail -date 2026-11-15":           "2026-11-15 is too long ago: what was lost is found for 6 days, now from 2026-11-16 23:59 UTC on",
		"run send-surveys -date":                      "flag needs an argument: -date\nusage:",
		"run send-surveys -period day":                "send-surveys takes no -period",
		"run publish-statistics -period year":         "\"year\" is no period of publish-statistics; its periods are day, week and month",
		"run publish-statistics-week -period day":     "publish-statistics-week takes no -period",
		"run send-surveys -force":                     "flag provided but not defined: -force\nusage:",
		"run send-surveys -wait extra":                "name one job, not 2",
		"run send-surveys -date 2026-11-22 2026-11-2": "name one job, not 2",
	}
	for line, want := range tests {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			_, err := Parse(strings.Fields(line), at("2026-11-22 23:59"))
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Fatalf("%v\nwant %s", err, want)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"help", "-h", "--help", "run -h"} {
		if _, err := Parse(strings.Fields(line), time.Now()); !errors.Is(err, flag.ErrHelp) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestParseRun(t *testing.T) {
	t.Parallel()
	tests := []struct {
		line string
		want job.Job
		wait bool
	}{
		{"send-surveys", job.SendSurveys{Run: job.Run{Date: "2026-11-22"}}, false},
		{"-wait send-surveys -date 2019-02-11", job.SendSurveys{Run: job.Run{Date: "2019-02-11"}}, true},
		{"publish-statistics", job.PublishStatistics{Run: job.Run{Date: "2026-11-22"}, Period: job.Day}, false},
		{"publish-statistics -period month -date=2019-02-11 -wait",
			job.PublishStatistics{Run: job.Run{Date: "2019-02-11"}, Period: job.Month}, true},
		{"publish-statistics-week", job.PublishStatistics{Run: job.Run{Date: "2026-11-22"}, Period: job.Week}, false},
		{"recover-texts", job.RecoverTexts{Recovery: job.Recovery{Since: at("2026-11-21 23:59")}}, false},
		{"recover-mail -date 2026-11-20 -wait", job.RecoverMail{Recovery: job.Recovery{Since: at("2026-11-20 00:00")}}, true},
		{"recover-texts -date 2026-11-16", job.RecoverTexts{Recovery: job.Recovery{Since: at("2026-11-16 23:59")}}, false},
	}
	for _, test := range tests {
		got, err := parseRun(strings.Fields(test.line), at("2026-11-22 23:59"))
		if err != nil {
			t.Errorf("%s: %v", test.line, err)
			continue
		}
		prefix := test.want.Key() + "by-hand-"
		if !strings.HasPrefix(got.job.Key(), prefix) || got.job.Label() != test.want.Label() || got.wait != test.wait {
			t.Errorf("%s: %+v", test.line, got)
		}
		again, _ := parseRun(strings.Fields(test.line), at("2026-11-22 23:59"))
		if again.job.Key() == got.job.Key() {
			t.Errorf("%s: twice the key %s", test.line, got.job.Key())
		}
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	timetable := Schedules{SendFollowups: mustSchedule("off"), SendSurveys: mustSchedule("*/30 * * * *")}.Timetable()
	known := map[string]queue.Settled{
		"publish-statistics-day": {Until: at("2026-11-22 05:00"), Ran: at("2026-11-22 05:00")},
		"copy-notifications":     {Until: at("2026-11-22 09:00")},
	}
	var out bytes.Buffer
	if err := list(timetable, known, at("2026-11-22 12:34").In(time.FixedZone("", 3600)), &out); err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/jobs.txt")
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(golden) {
		t.Fatalf("got:\n%s\nwant:\n%s", &out, golden)
	}
}

// -wait prints what becomes of the job, attempt by attempt, and the error is the exit.
func TestRunAndWait(t *testing.T) {
	t.Parallel()
	url := testenv.Redis(t)
	var failed bool
	work(t, url, func(_ context.Context, j job.SendSurveys) error {
		switch {
		case j.Date == "2026-11-01":
			return job.Permanent(errors.New("there is no such bucket"))
		case j.Date == "2026-11-02" && !failed:
			failed = true
			return job.RetryAfter(time.Second, errors.New("MySQL is away"))
		}
		return nil
	})
	tests := []struct{ date, out, err string }{
		{"2026-11-03", `^queued: send-surveys \(date: 2026-11-03\), key send-surveys-by-hand-\w{26}
done; the worker's log says what it did
$`, ""},
		{"2026-11-02", `^queued: .*
an attempt failed, tried again at \d\d:\d\d:\d\d UTC: MySQL is away \(tried again in 1s\)
done; the worker's log says what it did
$`, ""},
		{"2026-11-01", "^queued: .*\n$", "archived, to be run again from the dashboard: there is no such bucket"},
	}
	for _, test := range tests {
		command, err := Parse([]string{"run", "send-surveys", "-wait", "-date", test.date}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		err = command(t.Context(), Config{RedisURL: redisURL(t, url)}, &out)
		if (err == nil) != (test.err == "") || err != nil && err.Error() != test.err {
			t.Errorf("%s: %v, want %q", test.date, err, test.err)
		}
		if !regexp.MustCompile(test.out).MatchString(out.String()) {
			t.Errorf("%s: %s", test.date, &out)
		}
	}
}

// work runs a worker until the test ends.
func work(t *testing.T, url string, handle func(context.Context, job.SendSurveys) error) {
	t.Helper()
	w := queue.NewWorker(queue.WorkerConfig{
		Redis: connect(t, url), Places: map[job.Queue]int{job.Maintenance: 1}, DrainTimeout: time.Second,
		Log: slog.New(slog.DiscardHandler), Observe: func(context.Context, queue.Attempt) {},
	})
	queue.Handle(w, handle)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// Whoever stops waiting does not stop the job, and is told so.
func TestWaitInterrupted(t *testing.T) {
	t.Parallel()
	rdb := connect(t, testenv.Redis(t))
	q := queue.NewClient(rdb, nil)
	r := byHand{job: job.SendSurveys{Run: job.Run{Date: "2026-11-22", Tick: "by-hand-1"}}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.follow(ctx, q, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "the job itself goes on") {
		t.Fatal(err)
	}
	if err := r.follow(t.Context(), q, &bytes.Buffer{}); !errors.Is(err, queue.ErrGone) {
		t.Fatal(err)
	}
}

func TestEnumerate(t *testing.T) {
	t.Parallel()
	if got := []string{enumerate(nil), enumerate([]string{"a"}), enumerate([]string{"a", "b"})}; !slices.Equal(got, []string{"", "a", "a and b"}) {
		t.Fatalf("%q", got)
	}
}
