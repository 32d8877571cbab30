package deployment

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/govwifi/user-signup/internal/outside"
)

// load reads docker-compose.yml as docker compose v2 does, every profile included.
func load(t *testing.T) *types.Project {
	t.Helper()
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: root, ConfigFiles: []types.ConfigFile{{Filename: root + "docker-compose.yml"}}, Environment: maps.Clone(samples), // the loader writes to it
	}, func(o *loader.Options) {
		o.SetProjectName("signup", true)
		o.Profiles = []string{"*"}
	})
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func ours(s types.ServiceConfig) bool { return strings.HasPrefix(s.Image, "user-signup/") }

// command is what a container of ours runs: the image's name is its default.
func command(s types.ServiceConfig) []string {
	if len(s.Command) > 0 {
		return s.Command
	}
	image, _, _ := strings.Cut(strings.TrimPrefix(s.Image, "user-signup/"), ":")
	return []string{image}
}

// Every variable that the file sets is read by the program that gets it, every
// required one is set, and every value is accepted.
func TestComposeSetsWhatIsRead(t *testing.T) {
	t.Parallel()
	n := 0
	for name, s := range load(t).Services {
		if !ours(s) {
			continue
		}
		n++
		given := map[string]string{}
		for variable, value := range s.Environment {
			given[variable] = *value
		}
		for _, fault := range environmentFaults(command(s), given) {
			t.Errorf("%s: %s", name, fault)
		}
	}
	if n != 8 {
		t.Errorf("%d services are ours", n)
	}
}

// What the service's promises rest on: an answered event is on disk, drains are not
// cut short, nobody starts before what it needs.
func TestComposeKeepsPromises(t *testing.T) {
	t.Parallel()
	services := load(t).Services
	redis := strings.Join(services["redis"].Command, " ")
	for _, want := range []string{"--appendonly yes", "--appendfsync always", "--maxmemory-policy noeviction"} {
		if !strings.Contains(redis, want) {
			t.Errorf("redis runs without %s: %s", want, redis)
		}
	}
	drain, err := time.ParseDuration(*services["worker"].Environment["SHUTDOWN_TIMEOUT"])
	if grace := services["worker"].StopGracePeriod; err != nil || grace == nil || time.Duration(*grace) < drain+10*time.Second {
		t.Errorf("the worker drains for %v, %v, and is killed after %v", drain, err, grace)
	}
	for _, name := range []string{"worker", "scheduler"} {
		if s := services[name]; s.GetScale() != 2 {
			t.Errorf("%s runs %d times", name, s.GetScale())
		}
	}
	for name, conditions := range map[string]map[string]string{
		"migrate":   {"mysql": types.ServiceConditionHealthy},
		"ingest":    {"redis": types.ServiceConditionHealthy, "s3": types.ServiceConditionHealthy},
		"worker":    {"redis": types.ServiceConditionHealthy, "migrate": types.ServiceConditionCompletedSuccessfully},
		"scheduler": {"redis": types.ServiceConditionHealthy},
	} {
		for needed, want := range conditions {
			if got := services[name].DependsOn[needed].Condition; got != want {
				t.Errorf("%s waits for %s to be %q, not %q", name, needed, got, want)
			}
		}
	}
}

// No periodic job is skipped for want of a bucket, and those that the worker expects
// to find are in the stand-in.
func TestComposeHasTheBuckets(t *testing.T) {
	t.Parallel()
	services := load(t).Services
	variable := func(service, name string) string {
		if value := services[service].Environment[name]; value != nil {
			return *value
		}
		return ""
	}
	if got, made := variable("worker", "S3_METRICS_BUCKET"), variable("s3", "STANDIN_BUCKETS"); got == "" || got != made {
		t.Errorf("statistics go to %q, the stand-in has %q", got, made)
	}
	if got := variable("worker", "S3_MAIL_BUCKET"); got != outside.MailBucket {
		t.Errorf("lost mail is looked for in %q, not %s", got, outside.MailBucket)
	}
	if variable("worker", "S3_NOTIFICATION_TEMPLATES_BUCKET") == "" {
		t.Error("templates are not backed up")
	}
}

// Nothing is reachable from outside the machine, nothing of ours can write to its own
// image or gain rights, and nothing can take the whole machine.
func TestComposeConfines(t *testing.T) {
	t.Parallel()
	for name, s := range load(t).Services {
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s publishes %s on %q", name, port.Published, port.HostIP)
			}
		}
		if s.MemLimit == 0 || s.CPUS == 0 {
			t.Errorf("%s has no limits", name)
		}
		if !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s may gain privileges", name)
		}
		if ours(s) && (!s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"})) {
			t.Errorf("%s can write to its image or has capabilities", name)
		}
	}
}

// The file holds no secret, and what it asks for is what `make up` makes up.
func TestComposeHoldsNoSecret(t *testing.T) {
	t.Parallel()
	text := read(t, "docker-compose.yml")
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if slices.Contains(secrets, name) && !strings.HasPrefix(value, "${") {
			t.Errorf("a secret is in the file: %s", line)
		}
	}
	asked := map[string]bool{}
	for _, match := range regexp.MustCompile(`\$\{([A-Z_]+):\?`).FindAllStringSubmatch(text, -1) {
		asked[match[1]] = true
	}
	made := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^\t+([A-Z_]+)=`).FindAllStringSubmatch(read(t, "scripts/up"), -1) {
		made[match[1]] = true
	}
	if len(asked) == 0 || !maps.Equal(asked, made) {
		t.Errorf("asked for: %v, made up: %v", asked, made)
	}
	if !strings.Contains(read(t, ".gitignore"), "\n.env\n") {
		t.Error(".env could be committed")
	}
}

// The service that only stops on a signal must get one: no shell is in between.
func TestImagesHaveNoShell(t *testing.T) {
	t.Parallel()
	text := read(t, "deploy/Dockerfile")
	_, images, found := strings.Cut(text, "FROM scratch AS ours")
	if !found {
		t.Fatal("the images are not made of nothing")
	}
	for _, image := range []string{"ingest", "worker", "scheduler", "standins", "asynqmon"} {
		if !strings.Contains(images, "FROM ours AS "+image+"\n") || !strings.Contains(images, `CMD ["`+image+`"]`) {
			t.Errorf("no image, or no command, for %s", image)
		}
		if image != "asynqmon" && !strings.Contains(images, `CMD ["`+image+`", "-healthcheck"]`) {
			t.Errorf("%s has no health check", image)
		}
	}
	if strings.Contains(images, "\nRUN ") || strings.Count(images, "\nUSER 65532:65532\n") != 1 {
		t.Error("an image runs a command while it is made, or its programs run as root")
	}
}
