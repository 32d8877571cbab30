// Package deployment holds the tests of what is deployed: the compose file, the ECS
// files and the scripts around them. It has no code of its own.
package deployment

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caarlos0/env/v11"

	"github.com/govwifi/user-signup/internal/ingest"
	"github.com/govwifi/user-signup/internal/scheduler"
	"github.com/govwifi/user-signup/internal/standins"
	"github.com/govwifi/user-signup/internal/worker"
)

// root is the top of the repository.
const root = "../../"

// samples are good values for what a file takes from elsewhere: secrets and places.
var samples = map[string]string{
	"REDIS_URL":              "rediss://:secret@redis.example:6379/0",
	"QUEUE_SEAL_KEYS":        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
	"GOVNOTIFY_BEARER_TOKEN": "a-token-of-notify",
	"NOTIFY_API_KEY":         "x-26785a09-ab16-4eb0-8407-a37497a57506-3d844edf-8d35-48ac-975b-e847b4f122b0",
	"NOTIFY_DO_NOT_REPLY":    "8e222534-7f05-4972-86e3-17c5d9f894e2",
	"NOTIFY_SUPPORT_REPLY":   "4c39f5d2-9a3c-4a7e-8f0b-6b9f7e3a1d55",
	"SENTRY_DSN":             "https://public@sentry.example/1",
	"DB_USER":                "signup",
	"DB_PASS":                "secret",
	"GRAFANA_PASSWORD":       "secret",
}

// secrets are the variables whose values stand in no file.
var secrets = []string{"DB_PASS", "GOVNOTIFY_BEARER_TOKEN", "NOTIFY_API_KEY", "QUEUE_SEAL_KEYS", "SENTRY_DSN", "GF_SECURITY_ADMIN_PASSWORD", "MYSQL_PASSWORD"}

// elsewhere are variables that somebody else's code reads: the AWS SDK in the worker,
// and asynqmon, which is not ours.
var elsewhere = map[string][]string{
	"worker":   {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"},
	"asynqmon": {"REDIS_URL", "READ_ONLY"},
}

// configs is what each command reads its environment into.
func configs() map[string]any {
	return map[string]any{
		"ingest": &ingest.Config{}, "worker": &worker.Config{}, "worker check": &worker.Config{},
		"worker migrate": &worker.MigrateConfig{}, "scheduler": &scheduler.Config{},
		"standins notify": &standins.NotifyConfig{}, "standins aws": &standins.AWSConfig{}, "standins smoke": &standins.SmokeConfig{},
	}
}

// environmentFaults says what is wrong with the environment that a command is given:
// variables that it does not read, required ones that are missing, values that it
// refuses.
func environmentFaults(command []string, given map[string]string) []string {
	name := strings.Join(command, " ")
	config := configs()[name]
	known := elsewhere[name]
	if config == nil && known == nil {
		return []string{"nobody here knows the command " + name}
	}
	if config != nil {
		known = append(known, variables(reflect.TypeOf(config).Elem())...)
	}
	var faults []string
	for _, variable := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(known, variable) {
			faults = append(faults, variable+" is not read by "+name)
		}
	}
	if config == nil {
		return faults
	}
	given = maps.Clone(given)
	delete(given, "SNS_SIGNING_CERT_FILE") // a file in the container
	if err := env.ParseWithOptions(config, env.Options{Environment: given}); err != nil {
		faults = append(faults, err.Error())
	}
	if c, ok := reflect.ValueOf(config).Elem().Interface().(interface{ Check() []string }); ok {
		faults = append(faults, c.Check()...)
	}
	return faults
}

// variables are the env tags of a Config and of the structs in it.
func variables(config reflect.Type) []string {
	var names []string
	for field := range config.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("env"), ","); name != "" {
			names = append(names, name)
		} else if field.Type.Kind() == reflect.Struct {
			names = append(names, variables(field.Type)...)
		}
	}
	return names
}

// The check of environments finds each kind of fault, or it would prove nothing.
func TestEnvironmentFaults(t *testing.T) {
	t.Parallel()
	good := map[string]string{"REDIS_URL": samples["REDIS_URL"]}
	for name, test := range map[string]struct {
		command []string
		change  map[string]string
		want    string
	}{
		"good":              {[]string{"scheduler"}, nil, ""},
		"unknown variable":  {[]string{"scheduler"}, map[string]string{"REDIS_URI": "x"}, "REDIS_URI is not read by scheduler"},
		"another's":         {[]string{"scheduler"}, map[string]string{"NOTIFY_API_KEY": "x"}, "NOTIFY_API_KEY is not read by scheduler"},
		"malformed":         {[]string{"scheduler"}, map[string]string{"QUEUE_SEAL_KEYS": "short"}, "SealKeys"},
		"missing":           {[]string{"worker"}, nil, "NOTIFY_API_KEY"},
		"between variables": {[]string{"ingest"}, map[string]string{"GOVNOTIFY_BEARER_TOKEN": "x"}, "SNS_TOPIC_ARNS"},
		"unknown command":   {[]string{"worker", "migrat"}, nil, "nobody here knows the command worker migrat"},
	} {
		given := maps.Clone(good)
		maps.Copy(given, test.change)
		faults := environmentFaults(test.command, given)
		if (test.want == "") != (len(faults) == 0) || !strings.Contains(fmt.Sprint(faults), test.want) {
			t.Errorf("%s: %q", name, faults)
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(root + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
