package journeys

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/notify/notifytest"
	"github.com/govwifi/user-signup/internal/outside"
)

// Everything that is wrong is said at once, without the values: they may be secrets.
func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t"
	for name, c := range map[string]struct {
		program string
		args    []string
		env     environment
		says    []string
	}{
		"ingest, nothing set": {program: "ingest", says: []string{"REDIS_URL is not set", "GOVNOTIFY_BEARER_TOKEN is not set", "SNS_TOPIC_ARNS is not set"}},
		"ingest, all malformed": {program: "ingest",
			env: environment{"REDIS_URL": "redsi://:" + secret + "@localhost", "GOVNOTIFY_BEARER_TOKEN": secret + ",", "QUEUE_SEAL_KEYS": secret,
				"SNS_VERIFY_SIGNATURE": secret, "SNS_SIGNING_CERT_FILE": "/" + secret, "LOG_LEVEL": secret, "LOG_FORMAT": secret},
			says: []string{"REDIS_URL has the unknown scheme", "GOVNOTIFY_BEARER_TOKEN holds an empty token", "QUEUE_SEAL_KEYS ",
				"SNS_VERIFY_SIGNATURE is neither true nor false", "SNS_SIGNING_CERT_FILE names a file that cannot be read", "LOG_LEVEL ", "LOG_FORMAT "}},
		"ingest, addresses and topics that are none": {program: "ingest",
			env: environment{"REDIS_URL": "redis://127.0.0.1:1", "GOVNOTIFY_BEARER_TOKEN": secret, "INGEST_ADDR": secret, "ADMIN_ADDR": ":" + secret,
				"SNS_TOPIC_ARNS": secret},
			says: []string{"INGEST_ADDR is no address", "ADMIN_ADDR is no address", "SNS_TOPIC_ARNS "}},
		"ingest, verification on and no topic": {program: "ingest",
			env:  environment{"REDIS_URL": "redis://127.0.0.1:1", "GOVNOTIFY_BEARER_TOKEN": secret},
			says: []string{"SNS_TOPIC_ARNS is not set, but SNS_VERIFY_SIGNATURE is on"}},
		"worker, nothing set": {program: "worker", says: []string{"REDIS_URL is not set", "DB_HOSTNAME is not set", "DB_NAME is not set", "DB_USER is not set",
			"DB_PASS is not set", "NOTIFY_API_KEY is not set", "S3_SIGNUP_ALLOWLIST_BUCKET is not set", "S3_SIGNUP_ALLOWLIST_OBJECT_KEY is not set"}},
		"worker, all malformed": {program: "worker",
			env: environment{"REDIS_URL": secret, "DB_HOSTNAME": "localhost", "DB_NAME": "x", "DB_USER": "x", "DB_PASS": secret, "DB_TLS": secret,
				"NOTIFY_API_KEY": secret, "NOTIFY_MESSAGES_PER_MINUTE": secret, "WORKER_CONCURRENCY": "0", "SHUTDOWN_TIMEOUT": secret, "NOTIFY_API_BASE_URL": secret, "ADMIN_ADDR": secret, "SES_VERDICTS": secret,
				"WORD_LIST_FILE": "/" + secret, "S3_SIGNUP_ALLOWLIST_BUCKET": "", "S3_SIGNUP_ALLOWLIST_OBJECT_KEY": "x"},
			says: []string{"REDIS_URL has no scheme", "DB_TLS ", "NOTIFY_API_KEY ", "NOTIFY_API_BASE_URL ", "ADMIN_ADDR is no address", "AWS_REGION, ", "NOTIFY_MESSAGES_PER_MINUTE must be", "WORKER_CONCURRENCY must be",
				"SHUTDOWN_TIMEOUT ", "SES_VERDICTS must be", "WORD_LIST_FILE names a file that cannot be read", "S3_SIGNUP_ALLOWLIST_BUCKET is "}},
		"worker, a key that is no key and a TLS mode that is none": {program: "worker",
			env: environment{"REDIS_URL": "redis://127.0.0.1:1", "DB_HOSTNAME": "127.0.0.1:1", "DB_NAME": "x", "DB_USER": "x", "DB_PASS": secret, "DB_TLS": "maybe",
				"NOTIFY_API_KEY": secret, "S3_SIGNUP_ALLOWLIST_BUCKET": "x", "S3_SIGNUP_ALLOWLIST_OBJECT_KEY": "x"},
			says: []string{"NOTIFY_API_KEY ", "DB_TLS "}},
		"worker, a port and a time that cannot be": {program: "worker",
			env: environment{"REDIS_URL": "redis://127.0.0.1:1", "DB_HOSTNAME": "db:1:" + secret, "DB_NAME": "x", "DB_USER": "x", "DB_PASS": secret, "SHUTDOWN_TIMEOUT": "-1s",
				"NOTIFY_API_KEY": secret, "S3_SIGNUP_ALLOWLIST_BUCKET": "x", "S3_SIGNUP_ALLOWLIST_OBJECT_KEY": "x", "AWS_REGION": "eu-west-2"},
			says: []string{"DB_HOSTNAME is neither host nor host:port", "SHUTDOWN_TIMEOUT is below zero"}},
		"worker migrate, all malformed": {program: "worker", args: []string{"migrate"},
			env:  environment{"DB_HOSTNAME": ":" + secret, "DB_NAME": "x", "DB_USER": "x", "DB_PASS": secret, "DB_TLS": secret},
			says: []string{"DB_HOSTNAME is neither", "DB_TLS is neither"}},
		"worker migrate, nothing set": {program: "worker", args: []string{"migrate"}, says: []string{"DB_HOSTNAME is not set", "DB_PASS is not set"}},
		"scheduler, nothing set":      {program: "scheduler", says: []string{"REDIS_URL is not set"}},
		"scheduler, all malformed": {program: "scheduler",
			env:  environment{"REDIS_URL": "redis://:" + secret + "@[", "SCHEDULE_SEND_SURVEYS": secret, "SCHEDULE_SEND_FOLLOWUPS": "61 * * * *"},
			says: []string{"REDIS_URL ", "SCHEDULE_SEND_SURVEYS ", "SCHEDULE_SEND_FOLLOWUPS "}},
		"ingest, an argument":         {program: "ingest", args: []string{"serve"}, says: []string{"takes no arguments"}},
		"worker, an unknown word":     {program: "worker", args: []string{"migrat"}, says: []string{`there is no command "migrat"`, "usage:"}},
		"worker, a word too many":     {program: "worker", args: []string{"check", "all"}, says: []string{`takes no arguments, but got "all"`, "usage:"}},
		"scheduler, an unknown word":  {program: "scheduler", args: []string{"job"}, says: []string{"usage:"}},
		"scheduler, an unknown job":   {program: "scheduler", args: []string{"run", "send-survey"}, says: []string{`no periodic job "send-survey"`}},
		"scheduler, run without name": {program: "scheduler", args: []string{"run"}, says: []string{"name one job"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, environment{"ADMIN_ADDR": "127.0.0.1:0", "INGEST_ADDR": "127.0.0.1:0"}.with(c.env), c.program, c.args...)
			p.exits(2)
			message := p.stderr.String()
			for _, want := range c.says {
				if strings.Count(message, want) != 1 {
					t.Errorf("does not say %q once:\n%s", want, message)
				}
			}
			if strings.Contains(message, secret) || p.stdout.String() != "" {
				t.Errorf("shows a value, or writes to standard output:\n%s%s", message, p.stdout)
			}
		})
	}
}

// Who asks how a program is called is told, without an environment, and that is no failure.
func TestHelp(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"ingest -h", "worker --help", "worker help", "worker archive -h", "scheduler -h"} {
		words := strings.Fields(line)
		p := start(t, nil, words[0], words[1:]...)
		p.exits(0)
		if !strings.HasPrefix(p.stdout.String(), "usage:") || p.stderr.String() != "" {
			t.Errorf("%s: %s%s", line, p.stdout, p.stderr)
		}
	}
}

// What an operator does first, in this order, and what each step says when the one
// before was left out.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	p := start(t, w.forWorker(), "worker")
	p.exits(1)
	if !strings.Contains(p.stderr.String(), "worker migrate") {
		t.Errorf("does not say what to do about the schema:\n%s", p.stderr)
	}
	w.migrate().migrate()

	w.redis.Stop()
	started := time.Now()
	p = start(t, w.forWorker(), "worker")
	p.exits(1)
	if took := time.Since(started); took > 15*time.Second || !strings.Contains(p.stderr.String(), "Redis") {
		t.Errorf("without Redis it took %s to say\n%s", took, p.stderr)
	}
	w.redis.Start()
	w.work(environment{"DB_TLS": "False"}) // its letter case does not matter
}

// Preflight: a line for each dependency, and what to do about each that fails.
func TestCheck(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	for _, c := range []struct {
		name      string
		prepare   func()
		overrides environment
		fails     []string
		advice    string
	}{
		{"schema behind", nil, nil, []string{"schema"}, "run `worker migrate`"},
		{"all well", func() { w.migrate() }, nil, nil, ""},
		{"wrong key", nil, environment{"NOTIFY_API_KEY": "other-26785a09-ab16-4eb0-8407-a37497a57506-00000000-8d35-48ac-975b-e847b4f122b0"}, []string{"Notify"}, "NOTIFY_API_KEY"},
		{"missing template", func() { w.notify.DeleteTemplate(string(govwifi.RecapSMS)) }, nil, []string{"Notify"}, string(govwifi.RecapSMS)},
		{"no S3", w.notify.ResetTemplates, environment{"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}, []string{"allow-list"}, "S3_SIGNUP_ALLOWLIST_BUCKET"},
		{"no such list", nil, environment{"S3_SIGNUP_ALLOWLIST_OBJECT_KEY": "other.conf"}, []string{"allow-list"}, "S3_SIGNUP_ALLOWLIST_OBJECT_KEY"},
		{"no replica", nil, environment{"REDIS_MIN_REPLICAS": "1"}, []string{"replicas"}, "only 0 of REDIS_MIN_REPLICAS=1"},
		{"wrong password", nil, environment{"DB_PASS": "other"}, []string{"MySQL"}, "DB_"},
		{"no Redis", func() { w.redis.Stop() }, nil, []string{"Redis"}, "REDIS_URL"},
		{"nothing", nil, environment{"DB_HOSTNAME": "127.0.0.1:1", "NOTIFY_API_BASE_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"},
			[]string{"Redis", "MySQL", "Notify", "allow-list"}, "DB_"},
	} {
		if c.prepare != nil {
			c.prepare()
		}
		p := start(t, w.forWorker().with(c.overrides), "worker", "check")
		code := p.exitCode(time.Minute)
		out := p.stdout.String()
		if want := min(len(c.fails), 1); code != want {
			t.Errorf("%s: exited with %d, want %d:\n%s%s", c.name, code, want, out, p.stderr)
		}
		if got := failures(out); !slices.Equal(got, c.fails) || !strings.Contains(out, c.advice) {
			t.Errorf("%s: failed %q, want %q and %q in\n%s", c.name, got, c.fails, c.advice, out)
		}
		for _, name := range []string{"Redis", "replicas", "MySQL", "schema", "Notify", "allow-list", "metrics-bucket", "templates-bucket", "mail-bucket"} {
			if !regexp.MustCompile(`(?m)^(ok|FAIL|-) +` + name + `\b`).MatchString(out) {
				t.Errorf("%s: no line for %s in\n%s", c.name, name, out)
			}
		}
		if c.fails == nil && p.stderr.String() != "" {
			t.Errorf("%s: beside the lines: %s", c.name, p.stderr)
		}
	}
}

// failures are the names of the checks that failed.
func failures(out string) []string {
	var names []string
	for line := range strings.Lines(out) {
		if rest, failed := strings.CutPrefix(line, "FAIL"); failed {
			names = append(names, strings.Fields(rest)[0])
		}
	}
	return names
}

// Ingest opens its door without Redis, says why it takes nothing, and recovers.
func TestIngestBeforeRedis(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.redis.Stop()
	w.open(nil)
	health := func() int {
		started := time.Now()
		response, err := http.Get(w.world.Ingest + "/healthcheck")
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if took := time.Since(started); took > 2*time.Second {
			t.Errorf("the answer took %s", took)
		}
		return response.StatusCode
	}
	if status := health(); status != 503 {
		t.Errorf("answered %d without Redis", status)
	}
	if status, err := w.world.Deliver(t.Context(), w.world.Text("447700900123", "Go")); status != 503 || err != nil {
		t.Errorf("answered %d, %v without Redis", status, err)
	}
	w.redis.Start()
	eventually(t, "the health check to recover", func() bool { return health() == 200 })
	w.deliver(w.world.Text("447700900123", "Go"))
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// A release under load: ingest and worker are told to go while texts stream in. Both
// leave with 0, and whatever was acknowledged is answered, once.
func TestReleaseUnderLoad(t *testing.T) {
	t.Parallel()
	w := newTown(t).migrate()
	slow := notifytest.Always(notifytest.Fault{Delay: 300 * time.Millisecond})
	w.notify.Play(slow)
	ingest, worker := w.open(nil), w.work(nil)

	var mu sync.Mutex
	var acknowledged []string
	stop, cancel := context.WithCancel(t.Context())
	var senders sync.WaitGroup
	for i := range 4 {
		senders.Go(func() {
			for n := 0; stop.Err() == nil; n++ {
				e := w.world.Text(phone(i*10000+n), "Go")
				// An event that is not acknowledged is its sender's to repeat.
				if status, err := w.world.Deliver(context.WithoutCancel(stop), e); status == 200 && err == nil {
					mu.Lock()
					acknowledged = append(acknowledged, e.ID)
					mu.Unlock()
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	w.received(50, time.Minute)
	worker.terminate()
	ingest.terminate()
	ingest.exits(0)
	worker.exits(0)
	cancel()
	senders.Wait()
	left := len(w.notify.Accepted())
	w.work(environment{"NOTIFY_MESSAGES_PER_MINUTE": "0"})

	w.notify.Play(nil)
	w.received(len(acknowledged), 2*time.Minute)
	w.idle()
	got := w.notify.Accepted()
	if left == len(got) {
		t.Errorf("nothing was left to do for the next worker: the test shows nothing")
	}
	references := once(t, got)
	for _, id := range acknowledged {
		if !references[id] {
			t.Errorf("text %s was acknowledged and never answered", id)
		}
	}
}

// phone makes distinct British mobile numbers: more than the thousand that are
// reserved for fiction.
func phone(i int) string { return fmt.Sprintf("4477%08d", 1e7+i) }

// once fails if a message went out twice, and returns all references.
func once(t *testing.T, messages []notifytest.Accepted) map[string]bool {
	t.Helper()
	references := map[string]bool{}
	for _, m := range messages {
		if references[m.Reference] {
			t.Errorf("sent twice: %s to %s", m.Reference, m.To)
		}
		references[m.Reference] = true
	}
	return references
}

// A worker that is told to go finishes the message that it is sending.
func TestDrain(t *testing.T) {
	t.Parallel()
	w := newTown(t).migrate()
	sending := make(chan struct{}, 1)
	w.notify.Play(signalled(sending, notifytest.Fault{Delay: time.Second}))
	w.open(nil)
	worker := w.work(nil)
	w.deliver(w.world.Text("447700900123", "Go"))
	<-sending
	worker.terminate()
	worker.exits(0)
	if got := w.notify.Accepted(); len(got) != 1 {
		t.Errorf("left without finishing: %d messages", len(got))
	}
	if !strings.Contains(worker.stderr.String(), "outcome=done") {
		t.Errorf("the job was not marked as done:\n%s", worker.stderr)
	}
}

// signalled has every message go wrong in one way and says when the first arrives.
func signalled(arrived chan<- struct{}, f notifytest.Fault) notifytest.Script {
	return func(r notifytest.Request) notifytest.Fault {
		if !r.IsSend() {
			return notifytest.Fault{}
		}
		select {
		case arrived <- struct{}{}:
		default:
		}
		return f
	}
}

// An operator who will not wait for the drain sends a second signal.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	w := newTown(t).migrate()
	sending := make(chan struct{}, 1)
	w.notify.Play(signalled(sending, notifytest.Fault{Hang: true}))
	w.open(nil)
	worker := w.work(nil)
	w.deliver(w.world.Text("447700900123", "Go"))
	<-sending
	worker.terminate()
	eventually(t, "the drain to begin", func() bool {
		conn, err := net.DialTimeout("tcp", worker.admin, time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	select {
	case <-worker.exited:
		t.Fatal("did not wait for the job")
	case <-time.After(500 * time.Millisecond):
	}
	worker.terminate()
	if code := worker.exitCode(2 * time.Second); code != -1 {
		t.Errorf("exited with %d, not by the signal", code)
	}
}

// Workers crash, twice, amid a batch of 300 guests and two texts, one of which Notify
// had accepted without the worker being told. The third worker finds it all: every
// guest and sender has one message, and the sponsor one receipt.
//
// It takes one to three minutes: a crashed worker's jobs are found when their lease of
// 30 s has been over for another 30, by a look each minute (docs/asynq.md, section 2).
func TestKilledWorkers(t *testing.T) {
	t.Parallel()
	w := newTown(t).migrate()
	w.open(nil)
	unsent, sent := w.world.Text("447700900001", "Go"), w.world.Text("447700900002", "Go")
	fate := map[string]notifytest.Fault{unsent.ID: {Hang: true}, sent.ID: {Hang: true, Accept: true}}
	var mu sync.Mutex
	hanging := make(chan struct{}, 2)
	w.notify.Play(func(r notifytest.Request) notifytest.Fault {
		mu.Lock()
		defer mu.Unlock()
		f, doomed := fate[r.Reference]
		switch {
		case r.IsSend() && doomed:
			delete(fate, r.Reference)
			hanging <- struct{}{}
			return f
		case r.IsSend():
			return notifytest.Fault{Delay: 200 * time.Millisecond}
		}
		return notifytest.Fault{}
	})
	few := environment{"NOTIFY_MESSAGES_PER_MINUTE": "0", "WORKER_CONCURRENCY": "8"}

	const guests = 300
	first := w.work(few)
	w.deliver(w.batch("guest", guests))
	w.deliver(unsent)
	w.deliver(sent)
	<-hanging
	<-hanging
	before := len(w.received(60, time.Minute))
	first.kill()
	second := w.work(few)
	w.received(before+60, time.Minute)
	second.kill()
	if n := len(w.notify.Accepted()); n > guests-30 {
		t.Errorf("%d messages were out before the crash: the test shows nothing", n)
	}
	third := w.work(few)

	w.received(guests+3, 5*time.Minute)
	for _, text := range []outside.Event{unsent, sent} {
		third.settles(text.ID)
	}
	w.idle()
	got := w.notify.Accepted()
	references := once(t, got)
	people := by(got)
	if len(got) != guests+3 || len(people) != guests+3 || !references[unsent.ID] || !references[sent.ID] {
		t.Errorf("%d messages to %d people", len(got), len(people))
	}
	for _, m := range got {
		if m.To == "jo.smith@dept.gov.uk" && m.Personalisation["number_of_accounts"] != "300" {
			t.Errorf("receipt for %s guests", m.Personalisation["number_of_accounts"])
		}
	}
}

// settles waits until the program has done the job.
func (p *program) settles(key string) {
	p.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	for !done(p.stderr.String(), key) {
		if time.Now().After(deadline) {
			p.Fatalf("the job %s was not done:\n%s", key, p.stderr)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// done looks for the line of an attempt that ended the job.
func done(log, key string) bool {
	for line := range strings.Lines(log) {
		if strings.Contains(line, "key="+key) && strings.Contains(line, "outcome=done") {
			return true
		}
	}
	return false
}
