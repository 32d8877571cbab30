package worker

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/hibiken/asynq"

	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/queue"
	"github.com/govwifi/user-signup/internal/testenv"
)

func TestParseArchive(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"list":                   "",
		"list -queue batch":      "",
		"run -key one":           "",
		"-job signup-sms run":    "",
		"run -all":               "",
		"delete -reason refused": "",
		"":                       "usage",
		"purge":                  "usage",
		"run":                    "say -all",
		"delete":                 "say -all",
		"delete -reason=":        "say -all",
		"run -all -key one":      "contradict",
		"list -queue cron":       "no queue",
		"list run":               "one word too many",
		"list -age 3d":           "not defined",
	} {
		_, err := ParseArchive(strings.Fields(args))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
	}
	for _, args := range []string{"-h", "list --help"} {
		if _, err := ParseArchive(strings.Fields(args)); !errors.Is(err, flag.ErrHelp) {
			t.Errorf("%q: %v", args, err)
		}
	}
}

// An operator finds what was given up, masked, and runs or deletes what they mean.
func TestArchiveCommand(t *testing.T) {
	t.Parallel()
	var c ArchiveConfig
	if err := c.RedisURL.UnmarshalText([]byte(testenv.Redis(t))); err != nil {
		t.Fatal(err)
	}
	rdb := c.RedisURL.Connect(queue.Patient)
	t.Cleanup(func() { _ = rdb.Close() })
	client := queue.NewClient(rdb, nil)
	giveUp(t, rdb, client, "+447700900123", "text-1")
	giveUp(t, rdb, client, "+447700900456", "text-2")

	archive := func(args string) string {
		t.Helper()
		command, err := ParseArchive(strings.Fields(args))
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := command.Run(t.Context(), c, &out); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "7700900") {
			t.Errorf("a number in the clear:\n%s", &out)
		}
		return out.String()
	}
	for _, want := range []string{"interactive  signup-sms  text-1  from: +4477*****123  ", ", attempts: 1\n    +4477*****123 is refused\n", "in the archive: 2\n"} {
		if got := archive("list"); !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if got := archive("run -key text-1"); !strings.Contains(got, "text-1") || !strings.HasSuffix(got, "run again: 1 of 1\n") {
		t.Error(got)
	}
	if got := archive("delete -reason refused"); !strings.Contains(got, "text-2") || !strings.HasSuffix(got, "deleted: 1 of 1\n") {
		t.Error(got)
	}
	if got := archive("run -all"); got != "run again: 0 of 0\n" {
		t.Error(got)
	}
	if got := archive("run -job signup-smss"); got != "no job in the archive is like that\n" {
		t.Error(got)
	}
	for key, want := range map[string]queue.State{"text-1": queue.Open, "text-2": queue.Missing} {
		if state, err := client.State(t.Context(), job.SignupSMS{Text: job.Text{MessageID: key}}); state != want || err != nil {
			t.Errorf("%s is %s, %v", key, state, err)
		}
	}
}

// Without Redis it says so in a sentence.
func TestArchiveWithoutRedis(t *testing.T) {
	t.Parallel()
	c, err := ParseArchive([]string{"list"})
	if err != nil {
		t.Fatal(err)
	}
	var config ArchiveConfig
	if err := config.RedisURL.UnmarshalText([]byte("redis://127.0.0.1:1")); err != nil {
		t.Fatal(err)
	}
	err = c.Run(t.Context(), config, io.Discard)
	if err == nil || !strings.HasPrefix(err.Error(), "reach Redis: ") || !strings.Contains(err.Error(), "check REDIS_URL") {
		t.Error(err)
	}
}

// giveUp queues a text and has a worker archive it.
func giveUp(t *testing.T, rdb queue.Conn, client *queue.Client, number, key string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan bool)
	w := queue.NewWorker(queue.WorkerConfig{Redis: rdb, Places: map[job.Queue]int{job.Interactive: 1}, Log: slog.New(slog.DiscardHandler),
		Observe: func(context.Context, queue.Attempt) { stop() }})
	queue.Handle(w, func(_ context.Context, j job.SignupSMS) error {
		return job.Permanent(errors.New(j.Number + " is refused"))
	})
	if err := client.Enqueue(t.Context(), job.SignupSMS{Text: job.Text{MessageID: key, Number: number, Text: "Go"}}); err != nil {
		t.Fatal(err)
	}
	go func() {
		if err := w.Run(ctx); err != nil {
			t.Error(err)
		}
		close(over)
	}()
	<-over
	if info, err := asynq.NewInspectorFromRedisClient(rdb).GetTaskInfo("interactive", key); err != nil || info.State != asynq.TaskStateArchived {
		t.Fatalf("%v, %v", info, err)
	}
}
