package faultrun

import (
	"database/sql"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/govwifi/user-signup/internal/notify/notifytest"
	"github.com/govwifi/user-signup/internal/outside"
	"github.com/govwifi/user-signup/internal/s3/s3test"
	"github.com/govwifi/user-signup/internal/testenv"
)

const (
	allowListBucket = "admin"
	allowListKey    = "signup-allowlist.conf"
	allowList       = `^[A-Za-z0-9\_\+\.'-]+@([a-zA-Z0-9-]+\.)*(gov\.uk|police\.uk)$`

	signup  = "signup@wifi.service.gov.uk"
	sponsor = "sponsor@wifi.service.gov.uk"
)

// scene is one whole installation, every program of it a process, and the world around.
type scene struct {
	testing.TB
	logs      string
	store     *store
	mysql     *testenv.MySQLServer
	db        *sql.DB
	notify    *notifytest.Server
	mood      *moods
	s3        *s3test.Server
	world     *outside.World
	ingests   []*process
	doors     []string
	workers   []*process
	scheduler []*process
	clocks    map[*process]*clock
	// byHand is what the scheduler's commands are run with.
	byHand []string
}

// newScene starts it all and returns when both doors are open.
func newScene(t testing.TB, bin string, failover bool) *scene {
	t.Helper()
	dir := t.TempDir()
	w := &scene{TB: t, logs: logFolder(t, dir), mood: &moods{}, clocks: map[*process]*clock{}}
	w.mysql = testenv.NewMySQLServer(t)
	w.db = w.mysql.Open(t)
	w.store = newStore(t, dir, w.logs, failover)
	w.notify = notifytest.Start(t, notifytest.Config{RatePerMinute: 3000, Now: w.mood.now})
	w.notify.Play(w.mood.play)
	var err error
	if w.s3, err = s3test.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.s3.Close() })
	w.s3.Put(allowListBucket, s3test.Object{Key: allowListKey, Body: []byte(allowList)})
	if w.world, err = outside.New("a-bearer-token", w.s3); err != nil {
		t.Fatal(err)
	}
	w.programs(dir, bin, failover)
	return w
}

// programs starts two ingests, three workers and two schedulers.
func (w *scene) programs(dir, bin string, failover bool) {
	w.Helper()
	certificate := filepath.Join(dir, "sns.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.world.Certificate.Raw})
	if err := os.WriteFile(certificate, text, 0o600); err != nil {
		w.Fatal(err)
	}
	common := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "ADMIN_ADDR=127.0.0.1:0", "REDIS_URL=" + w.store.url()}
	if failover {
		// All that there are: docs/reliability.md says what fewer are worth.
		common = append(common, fmt.Sprintf("REDIS_MIN_REPLICAS=%d", replicas))
	}
	worker := append(slices.Clone(common), "WORKER_CONCURRENCY=4", "NOTIFY_MESSAGES_PER_MINUTE=600",
		"DB_HOSTNAME="+w.mysql.Host, "DB_NAME="+w.mysql.Name, "DB_USER="+w.mysql.User, "DB_PASS="+w.mysql.Pass,
		"NOTIFY_API_KEY="+w.notify.Key(), "NOTIFY_API_BASE_URL="+w.notify.URL(),
		"S3_SIGNUP_ALLOWLIST_BUCKET="+allowListBucket, "S3_SIGNUP_ALLOWLIST_OBJECT_KEY="+allowListKey, "S3_MAIL_BUCKET="+outside.MailBucket,
		"AWS_REGION=eu-west-2", "AWS_ENDPOINT_URL_S3="+w.s3.URL, "S3_USE_PATH_STYLE=true",
		"AWS_ACCESS_KEY_ID="+s3test.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+s3test.SecretAccessKey, "AWS_EC2_METADATA_DISABLED=true")
	migrate := exec.Command(filepath.Join(bin, "worker"), "migrate")
	migrate.Env = worker
	if out, err := migrate.CombinedOutput(); err != nil {
		w.Fatalf("worker migrate: %v\n%s", err, out)
	}
	for i := range 3 {
		w.workers = append(w.workers, w.program(dir, bin, "worker", i, worker))
	}
	for i := range 2 {
		addr := freeAddr(w)
		w.doors = append(w.doors, "http://"+addr)
		w.ingests = append(w.ingests, w.program(dir, bin, "ingest", i, append(slices.Clone(common), "INGEST_ADDR="+addr,
			"GOVNOTIFY_BEARER_TOKEN="+w.world.Token, "SNS_TOPIC_ARNS="+outside.Topic, "SNS_SIGNING_CERT_FILE="+certificate)))
	}
	// Each minute has a tick, which two schedulers owe once.
	w.byHand = append(slices.Clone(common), "SCHEDULE_PUBLISH_STATISTICS_DAY=* * * * *")
	for i := range 2 {
		w.scheduler = append(w.scheduler, w.program(dir, bin, "scheduler", i, w.byHand))
	}
	for i, door := range w.doors {
		await(w, w.ingests[i].name, func() bool { return healthy(door) })
	}
}

// program starts one of the service's programs on a clock of its own.
func (w *scene) program(dir, bin, name string, i int, env []string) *process {
	w.Helper()
	full := fmt.Sprintf("%s-%d", name, i+1)
	clock := newClock(w, filepath.Join(dir, full+".clock"))
	p := launch(w, w.logs, full, append(slices.Clone(env), clock.variable()), filepath.Join(bin, name))
	w.clocks[p] = clock
	return p
}
