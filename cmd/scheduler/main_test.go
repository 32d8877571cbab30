package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/testenv"
)

// actAs makes the test binary the program, which saves building it.
const actAs = "ACT_AS_SCHEDULER"

func TestMain(m *testing.M) {
	if os.Getenv(actAs) != "" {
		main()
	}
	os.Exit(m.Run())
}

// program is the scheduler with the given environment and no other.
func program(ctx context.Context, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(env, actAs+"=1")
	return cmd
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	url := testenv.Redis(t)
	redisAt := "REDIS_URL=" + url
	nowhere := "REDIS_URL=redis://127.0.0.1:1"
	tests := map[string]struct {
		env  []string
		args string
		exit int
		want []string
	}{
		"help":                     {nil, "-h", 0, []string{"usage:"}},
		"unknown command":          {nil, "start", 2, []string{`there is no command "start"`}},
		"unknown job":              {[]string{redisAt}, "run nothing", 2, []string{`there is no periodic job "nothing"`, "send-surveys"}},
		"future date":              {[]string{redisAt}, "run send-surveys -date 2999-01-01", 2, []string{"in the future"}},
		"no configuration":         {nil, "", 2, []string{"REDIS_URL is not set"}},
		"all problems at once":     {[]string{"SCHEDULE_SEND_SURVEYS=sometimes", "SCHEDULE_BACKUP_TEMPLATES=0 0 30 2 *", "LOG_FORMAT=xml", "QUEUE_SEAL_KEYS=x"}, "", 2, []string{"REDIS_URL is not set", "SCHEDULE_SEND_SURVEYS is no schedule", "SCHEDULE_BACKUP_TEMPLATES names a day that never comes", "LOG_FORMAT is", "QUEUE_SEAL_KEYS"}},
		"run, Redis away":          {[]string{nowhere}, "run send-surveys -wait", 1, []string{"nothing is queued: write to Redis: ", "check REDIS_URL"}},
		"jobs, Redis away":         {[]string{nowhere}, "jobs", 1, []string{"read the last ticks"}},
		"jobs":                     {[]string{redisAt, "SCHEDULE_SEND_SURVEYS=off"}, "jobs", 0, []string{"publish-statistics-month", "send-surveys              off"}},
		"run":                      {[]string{redisAt}, "run publish-statistics -date 2019-02-11 -period week", 0, []string{"queued: publish-statistics (week of 2019-02-11), key publish-statistics-week-by-hand-"}},
		"serve, listener occupied": {[]string{redisAt, "ADMIN_ADDR=" + strings.TrimSuffix(strings.TrimPrefix(url, "redis://"), "/0")}, "", 1, []string{"listen on ADMIN_ADDR"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			exit, stdout, stderr := command(t, test.env, strings.Fields(test.args)...)
			if exit != test.exit {
				t.Errorf("exit %d, want %d", exit, test.exit)
			}
			for _, want := range test.want {
				if !strings.Contains(stdout+stderr, want) {
					t.Errorf("neither output holds %q:\n%s%s", want, stdout, stderr)
				}
			}
			if (exit == 0) != (stderr == "") || (exit != 0) != (stdout == "") {
				t.Errorf("answers belong on standard output, errors on standard error:\n%s---\n%s", stdout, stderr)
			}
		})
	}
}

// command runs the program to its end.
func command(t *testing.T, env []string, args ...string) (exit int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := program(ctx, env, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

var adminAddr = regexp.MustCompile(`admin=(\S+)`)

// The program serves its operators, warns of what is odd and ends with 0 on SIGTERM.
func TestServe(t *testing.T) {
	t.Parallel()
	server := testenv.NewRedisServer(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := program(ctx, []string{"REDIS_URL=" + server.URL, "ADMIN_ADDR=127.0.0.1:0", "SCHEDULE_SEND_SURVEY=off", "SCHEDULE_SEND_SURVEYS=off"})
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines, said := bufio.NewScanner(stderr), ""
	for lines.Scan() && adminAddr.FindString(lines.Text()) == "" {
		said += lines.Text() + "\n"
	}
	addr := adminAddr.FindStringSubmatch(lines.Text())
	if addr == nil {
		t.Fatalf("no admin address in the log:\n%s", said)
	}
	for _, want := range []string{"SCHEDULE_SEND_SURVEY is ignored", "QUEUE_SEAL_KEYS is not set", "job=send-surveys schedule=off"} {
		if !strings.Contains(said, want) {
			t.Errorf("the log does not say %q:\n%s", want, said)
		}
	}
	expectAnswer(t, "http://"+addr[1]+"/readyz", 200, "ready")
	expectAnswer(t, "http://"+addr[1]+"/metrics", 200, `signup_queue_tasks{queue="maintenance",state="pending"} 0`)
	server.Stop()
	expectAnswer(t, "http://"+addr[1]+"/readyz", 503, "write to Redis")
	expectAnswer(t, "http://"+addr[1]+"/livez", 200, "alive")
	expectAnswer(t, "http://"+addr[1]+"/metrics", 200, "go_goroutines")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(stderr)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, rest)
	}
}

func expectAnswer(t *testing.T, url string, status int, text string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != status || !strings.Contains(string(body), text) {
		t.Fatalf("%s: %d, want %d and %q:\n%s", url, response.StatusCode, status, text, body)
	}
}
