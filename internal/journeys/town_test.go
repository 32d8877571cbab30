package journeys

import (
	"bufio"
	"context"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/notify/notifytest"
	"github.com/govwifi/user-signup/internal/outside"
	"github.com/govwifi/user-signup/internal/s3/s3test"
	"github.com/govwifi/user-signup/internal/testenv"
)

// bin is where build puts the programs; TestMain makes and removes it.
var bin string

// build makes the programs once for the test process.
var build = sync.OnceValue(func() error {
	tags := ""
	if profiles() != "" {
		tags = "profile"
	}
	return testenv.Build(bin, "-tags", tags, "../../cmd/ingest", "../../cmd/worker", "../../cmd/scheduler", "./testdata/bare")
})

func TestMain(m *testing.M) {
	var err error
	if bin, err = os.MkdirTemp("", "journeys-"); err != nil {
		panic(err)
	}
	// The longest of these wait, for leases and back-offs, and leave the cores to others.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(bin)
	os.Exit(code)
}

// town is what house is, but its programs are real processes, which a test may stop
// and kill as an operating system does.
type town struct {
	testing.TB
	redis  *testenv.RedisServer
	mysql  testenv.MySQLDatabase
	notify *notifytest.Server
	s3     *s3test.Server
	world  *outside.World
	// certificate is the file of what SNS signs with.
	certificate string
	// people is how many phone numbers were used.
	people int
}

// newTown starts what surrounds the programs; the database is still empty.
func newTown(tb testing.TB) *town {
	tb.Helper()
	return newTownWith(tb, notifytest.Config{})
}

// newTownWith is newTown with another GOV.UK Notify.
func newTownWith(tb testing.TB, notify notifytest.Config) *town {
	tb.Helper()
	w := &town{TB: tb, redis: testenv.NewRedisServer(tb), mysql: testenv.MySQL(tb), notify: notifytest.Start(tb, notify)}
	var err error
	if w.s3, err = s3test.Start("127.0.0.1:0"); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = w.s3.Close() })
	w.s3.Put(allowListBucket, s3test.Object{Key: allowListKey, Body: []byte(allowList)})
	if w.world, err = outside.New("a-bearer-token", w.s3); err != nil {
		tb.Fatal(err)
	}
	w.certificate = filepath.Join(tb.TempDir(), "sns.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.world.Certificate.Raw})
	if err := os.WriteFile(w.certificate, text, 0o600); err != nil {
		tb.Fatal(err)
	}
	return w
}

// environment is the whole of a program's environment.
type environment map[string]string

// with overrides some variables; an empty value takes one away.
func (e environment) with(overrides environment) environment {
	e = maps.Clone(e)
	for name, value := range overrides {
		if e[name] = value; value == "" {
			delete(e, name)
		}
	}
	return e
}

func (w *town) forIngest() environment {
	return environment{"INGEST_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0", "REDIS_URL": w.redis.URL,
		"GOVNOTIFY_BEARER_TOKEN": w.world.Token, "SNS_TOPIC_ARNS": outside.Topic, "SNS_SIGNING_CERT_FILE": w.certificate}
}

func (w *town) forWorker() environment {
	return environment{"ADMIN_ADDR": "127.0.0.1:0", "REDIS_URL": w.redis.URL,
		"DB_HOSTNAME": w.mysql.Host, "DB_NAME": w.mysql.Name, "DB_USER": w.mysql.User, "DB_PASS": w.mysql.Pass,
		"NOTIFY_API_KEY": w.notify.Key(), "NOTIFY_API_BASE_URL": w.notify.URL(),
		"S3_SIGNUP_ALLOWLIST_BUCKET": allowListBucket, "S3_SIGNUP_ALLOWLIST_OBJECT_KEY": allowListKey,
		"AWS_REGION": "eu-west-2", "AWS_ENDPOINT_URL_S3": w.s3.URL, "S3_USE_PATH_STYLE": "true",
		"AWS_ACCESS_KEY_ID": s3test.AccessKeyID, "AWS_SECRET_ACCESS_KEY": s3test.SecretAccessKey, "AWS_EC2_METADATA_DISABLED": "true"}
}

// open starts ingest and sends the world's webhooks there.
func (w *town) open(overrides environment) *program {
	w.Helper()
	p := start(w, w.forIngest().with(overrides), "ingest")
	w.world.Ingest = "http://" + p.said(`ingest takes webhooks" addr=(\S+)`)
	return p
}

// migrate prepares the database.
func (w *town) migrate() *town {
	w.Helper()
	start(w, w.forWorker(), "worker", "migrate").exits(0)
	return w
}

// work starts a worker and returns when it takes jobs.
func (w *town) work(overrides environment) *program {
	w.Helper()
	p := start(w, w.forWorker().with(overrides), "worker")
	p.admin = p.said(`the worker takes jobs" admin=(\S+)`)
	return p
}

// deliver posts an event and wants it accepted.
func (w *town) deliver(e outside.Event) {
	w.Helper()
	if status, err := w.world.Deliver(w.Context(), e); status != 200 || err != nil {
		w.Fatalf("answered %d, %v", status, err)
	}
}

// batch is a sponsor's mail with many guests, whose names begin alike.
func (w *town) batch(name string, guests int) outside.Event {
	w.Helper()
	var text strings.Builder
	for i := range guests {
		fmt.Fprintf(&text, "%s%d@example.com\r\n", name, i)
	}
	e, err := w.world.Mail(outside.PlainMail(jo, sponsor, "Guests", text.String()), sponsor, nil)
	if err != nil {
		w.Fatal(err)
	}
	return e
}

// received waits until Notify has accepted n messages, and returns them all.
func (w *town) received(n int, patience time.Duration) []notifytest.Accepted {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	got, err := w.notify.Wait(ctx, n)
	if err != nil {
		w.Fatalf("%d of %d messages arrived: %v", len(got), n, err)
	}
	return got
}

// idle waits until no job is waiting, running or to be tried again.
func (w *town) idle() {
	w.Helper()
	rdb := w.rdb()
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		left := unfinished(w, rdb)
		if left == 0 {
			return
		}
		if time.Now().After(deadline) {
			w.Fatalf("%d jobs are still there", left)
		}
	}
}

// unfinished counts the jobs that wait, run or are to be tried again. A job may enqueue
// others just before it is done, so each queue is counted in one moment, and the queues
// whose jobs enqueue for others come first.
func unfinished(tb testing.TB, rdb redis.UniversalClient) (n int64) {
	tb.Helper()
	for _, q := range slices.Backward(job.Queues()) {
		prefix := "asynq:{" + string(q) + "}:"
		var counts []*redis.IntCmd
		_, err := rdb.TxPipelined(tb.Context(), func(p redis.Pipeliner) error {
			counts = append(counts, p.LLen(tb.Context(), prefix+"pending"), p.LLen(tb.Context(), prefix+"active"), p.ZCard(tb.Context(), prefix+"retry"))
			return nil
		})
		if err != nil {
			return n + 1 // nobody knows, in a failover
		}
		for _, c := range counts {
			n += c.Val()
		}
	}
	return n
}

// rdb looks into Redis behind the programs' back.
func (w *town) rdb() *redis.Client {
	w.Helper()
	c := redis.NewClient(&redis.Options{Addr: w.redis.Addr})
	w.Cleanup(func() { _ = c.Close() })
	return c
}

// program is a running process.
type program struct {
	testing.TB
	cmd            *exec.Cmd
	stdout, stderr output
	// admin is where a worker serves operators.
	admin  string
	exited chan struct{}
	// socket is where it serves profiles, if any are asked for.
	socket string
}

// leash kills the program when the test process is gone and can no longer do so
// itself: its end of the pipe closes. The program takes the shell's place, so that
// signals reach it directly.
const leash = `exec 3<&0; ( read -r _ <&3; kill -9 $$ ) >/dev/null 2>&1 & exec "$@" 3<&- </dev/null`

// start runs a program with the given environment and nothing of ours; it is killed
// with the test.
func start(tb testing.TB, env environment, name string, args ...string) *program {
	tb.Helper()
	if err := build(); err != nil {
		tb.Fatalf("build the programs: %v", err)
	}
	p := &program{TB: tb, stdout: newOutput(tb), stderr: newOutput(tb), exited: make(chan struct{})}
	p.cmd = exec.Command("sh", append([]string{"-c", leash, name, filepath.Join(bin, name)}, args...)...)
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + tb.TempDir()}
	if profiles() != "" {
		p.socket = filepath.Join(tb.TempDir(), "profile")
		p.cmd.Env = append(p.cmd.Env, "PROFILE_SOCKET="+p.socket)
	}
	for name, value := range env {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	p.cmd.Stdout, p.cmd.Stderr = p.stdout.file, p.stderr.file
	if _, err := p.cmd.StdinPipe(); err != nil {
		tb.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // its state says it
		close(p.exited)
	}()
	tb.Cleanup(p.kill)
	return p
}

// output is a file that a program writes to itself. Through a pipe, whoever measures a
// program would take a share of the cores to read what it logs.
type output struct{ file *os.File }

func newOutput(tb testing.TB) output {
	tb.Helper()
	file, err := os.CreateTemp(tb.TempDir(), "output")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = file.Close() })
	return output{file}
}

// String is what the program has written.
func (o output) String() string {
	text, err := os.ReadFile(o.file.Name())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// said waits until standard error holds the pattern and returns its first group.
func (p *program) said(pattern string) string {
	p.Helper()
	wanted := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if found := wanted.FindStringSubmatch(p.stderr.String()); found != nil {
			return found[len(found)-1]
		}
		select {
		case <-p.exited:
			p.Fatalf("%s exited with %d before it said %q:\n%s", p.cmd.Args[3], p.cmd.ProcessState.ExitCode(), pattern, p.stderr)
		default:
		}
		if time.Now().After(deadline) {
			p.Fatalf("%s has not said %q:\n%s", p.cmd.Args[3], pattern, p.stderr)
		}
	}
}

// exits waits for the end and wants the code.
func (p *program) exits(want int) {
	p.Helper()
	if got := p.exitCode(60 * time.Second); got != want {
		p.Fatalf("%v exited with %d, want %d:\n%s%s", p.cmd.Args[3:], got, want, p.stdout, p.stderr)
	}
}

// exitCode waits for the end. It is -1 for one that was killed by a signal.
func (p *program) exitCode(patience time.Duration) int {
	p.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.Fatalf("%v has not ended within %s:\n%s", p.cmd.Args[3:], patience, p.stderr)
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *program) signal(s syscall.Signal) {
	p.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.Fatal(err)
	}
}

// terminate is what a platform does when it replaces a task.
func (p *program) terminate() { p.Helper(); p.signal(syscall.SIGTERM) }

// kill is a crash: nothing is put in order.
func (p *program) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// memory reads a figure of the process in kB from the kernel: VmRSS, or VmHWM for the
// most it ever was.
func (p *program) memory(name string) int {
	p.Helper()
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		var n int
		if _, err := fmt.Sscanf(scanner.Text(), name+": %d kB", &n); err == nil {
			return n
		}
	}
	p.Fatalf("the kernel tells no %s", name)
	return 0
}
