package archtest

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// The house keeps its own rules.
func TestHouse(t *testing.T) {
	t.Parallel()
	g, err := parse(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if len(g.imports["internal/job"]) == 0 || len(g.tests["internal/testenv"]) == 0 {
		t.Fatal("parsed the wrong tree")
	}
	for _, fault := range check(g, house) {
		t.Error(fault)
	}
}

// Every rule says why, or nobody will dare to change it.
func TestEveryRuleHasAReason(t *testing.T) {
	t.Parallel()
	for pkg, room := range house.rooms {
		if room.reason == "" {
			t.Errorf("room %s has no reason", pkg)
		}
	}
	for _, o := range house.owned {
		if o.reason == "" {
			t.Errorf("%s is owned without a reason", o.target)
		}
	}
	for _, ban := range house.unreachable {
		if ban.reason == "" {
			t.Errorf("%s is banned from %v without a reason", ban.from, ban.targets)
		}
	}
}

// Each case is a tree that breaks one rule of the house, and the whole of what is said about it.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files map[string]string // file → what it imports
		want  []string
	}{
		"clean": {files: map[string]string{
			"cmd/ingest/main.go":               "internal/ingest",
			"internal/ingest/run.go":           "internal/queue github.com/labstack/echo/v4",
			"internal/queue/queue.go":          "internal/job github.com/hibiken/asynq github.com/redis/go-redis/v9",
			"internal/job/job.go":              "internal/govwifi context",
			"internal/govwifi/contact.go":      "strings github.com/nyaruka/phonenumbers",
			"internal/job/job_test.go":         "internal/testenv internal/mysql database/sql",
			"internal/job/testdata/x.go":       "github.com/dolthub/go-mysql-server",
			"internal/sandbox/_old/sandbox.go": "internal/mysql",
		}},
		"adapter to adapter": {
			files: map[string]string{"internal/notify/client.go": "internal/fleet"},
			want:  []string{"internal/notify → internal/fleet: " + adapterReason},
		},
		"arrow backwards": {
			files: map[string]string{"internal/govwifi/user.go": "internal/job"},
			want:  []string{"internal/govwifi → internal/job: the domain is pure"},
		},
		"impure domain": {
			files: map[string]string{"internal/govwifi/user.go": "github.com/google/uuid"},
			want:  []string{"internal/govwifi → github.com/google/uuid: the domain is pure"},
		},
		"main does more": {
			files: map[string]string{"cmd/worker/main.go": "internal/telemetry"},
			want:  []string{"cmd/worker → internal/telemetry: " + mainReason},
		},
		"SQL elsewhere": {
			files: map[string]string{"internal/worker/run.go": "database/sql"},
			want:  []string{"internal/worker → database/sql: SQL is spoken in internal/mysql alone"},
		},
		"asynq elsewhere": {
			files: map[string]string{"internal/worker/run.go": "github.com/hibiken/asynq"},
			want:  []string{"internal/worker → github.com/hibiken/asynq: asynq's words"},
		},
		"asynqmon is not asynq": {
			files: map[string]string{"internal/sandbox/console/console.go": "github.com/hibiken/asynqmon"},
		},
		"major version of what is owned": {
			files: map[string]string{"internal/worker/admin.go": "github.com/labstack/echo/v5/middleware"},
			want:  []string{"internal/worker → github.com/labstack/echo/v5/middleware: HTTP routes are ingest's"},
		},
		"mail and RADIUS in a service": {
			files: map[string]string{"cmd/worker/main.go": "internal/worker", "internal/worker/run.go": "layeh.com/radius/rfc2865 github.com/emersion/go-smtp"},
			want: []string{
				"cmd/worker → internal/worker → github.com/emersion/go-smtp: " + sandboxReason,
				"cmd/worker → internal/worker → layeh.com/radius/rfc2865: " + sandboxReason,
				"internal/worker → github.com/emersion/go-smtp: mail is taken by Amazon SES",
				"internal/worker → layeh.com/radius/rfc2865: GovWifi's RADIUS",
			},
		},
		"miniredis in a test": {
			files: map[string]string{"internal/queue/queue_test.go": "github.com/alicebob/miniredis/v2"},
			want:  []string{"internal/queue → github.com/alicebob/miniredis/v2: " + sandboxReason},
		},
		"testenv outside a test": {
			files: map[string]string{"internal/sandbox/sandbox.go": "internal/testenv"},
			want: []string{
				"internal/sandbox → internal/testenv: it starts servers",
				"internal/sandbox → internal/testenv: the sandbox runs",
			},
		},
		"long way to MySQL": {
			files: map[string]string{
				"cmd/ingest/main.go":      "internal/ingest",
				"internal/ingest/run.go":  "internal/queue",
				"internal/queue/queue.go": "internal/job",
				"internal/job/job.go":     "internal/mysql",
				"internal/mysql/mysql.go": "database/sql",
			},
			want: []string{
				"cmd/ingest → internal/ingest → internal/queue → internal/job → internal/mysql → database/sql: ingest judges",
				"cmd/ingest → internal/ingest → internal/queue → internal/job → internal/mysql: ingest judges",
				"internal/job → internal/mysql: a job sees interfaces only",
			},
		},
		"behind a build tag": {
			files: map[string]string{"internal/sns/sns_windows.go": "internal/queue"},
			want:  []string{"internal/sns → internal/queue: SNS envelopes"},
		},
		"unknown room": {
			files: map[string]string{"internal/cache/cache.go": "sync"},
			want:  []string{"internal/cache: is not in the table of rooms"},
		},
		"name that says nothing": {
			files: map[string]string{"internal/util/util.go": "sync"},
			want:  []string{"internal/util: a package is named for what it provides", "internal/util: is not in the table of rooms"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, err := parse(tree(test.files))
			if err != nil {
				t.Fatal(err)
			}
			got := check(g, house)
			if !slices.EqualFunc(got, test.want, strings.HasPrefix) {
				t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func TestParseNamesTheBrokenFile(t *testing.T) {
	t.Parallel()
	_, err := parse(fstest.MapFS{"internal/job/job.go": {Data: []byte("package job\nimport (")}})
	if err == nil || !strings.Contains(err.Error(), "internal/job/job.go:2") {
		t.Errorf("got %v", err)
	}
}

// tree makes a source tree of files that import what is listed beside their names.
func tree(files map[string]string) fstest.MapFS {
	fs := fstest.MapFS{}
	for name, imports := range files {
		source := "package x\n"
		for _, target := range strings.Fields(imports) {
			if strings.HasPrefix(target, "internal/") {
				target = module + "/" + target
			}
			source += "import _ \"" + target + "\"\n"
		}
		fs[name] = &fstest.MapFile{Data: []byte(source)}
	}
	return fs
}
