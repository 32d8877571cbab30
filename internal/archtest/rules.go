package archtest

import (
	"slices"
	"strings"
)

// rules is what the imports of the module must keep.
type rules struct {
	// rooms is every package of the module by its folder. One that is missing here
	// is a fault: a new room is a decision.
	rooms map[string]room
	// owned are packages that only some rooms may import.
	owned []owned
	// unreachable is what a program must not link, by whatever way.
	unreachable []ban
	// bannedNames are package names that say nothing about what belongs in them.
	bannedNames []string
}

// room is one package and what it may import. Its tests may import more, so that a
// job can be tested on the real adapters.
type room struct {
	// may lists the packages of this module.
	may []string
	// outside lists the packages of others, nil for all; the standard library is
	// always allowed.
	outside []string
	// reason is what a forbidden import is told.
	reason string
}

// allows says whether the room may import a package.
func (r room) allows(target string) bool {
	first, _, _ := strings.Cut(target, "/")
	switch {
	case first == "internal" || first == "cmd":
		return slices.Contains(r.may, target)
	case !strings.Contains(first, "."):
		return true // the standard library
	}
	return r.outside == nil || slices.ContainsFunc(r.outside, func(root string) bool { return within(target, root) })
}

// owned is a package, with all below it, that only its owners may import.
type owned struct {
	target string
	owners []string
	// tests says that the tests of every package may import it too.
	tests  bool
	reason string
}

// ban says what one program must not link.
type ban struct {
	from    string
	targets []string
	reason  string
}

// nothing is the list of a room that may import the standard library only.
var nothing = []string{}

const (
	mainReason    = "a main reads the environment and calls its service, nothing else"
	adapterReason = "adapters know the domain and never each other: any one can be deleted without touching another"
	standInReason = "a stand-in knows the protocol and the domain, and nothing of the client it tests"
	sandboxReason = "embedded servers weigh 70 MB and are no substitute for the real ones: only the sandbox links them, and tests use internal/testenv"
)

// triedOnly is what the sandbox alone links, to be tried on.
var triedOnly = []string{"internal/sandbox", "github.com/dolthub", "github.com/alicebob/miniredis", "github.com/hibiken/asynqmon", "layeh.com/radius", "github.com/emersion"}

// house is the design as a table: cmd → services → adapters → job → govwifi.
var house = rules{
	rooms: map[string]room{
		"cmd/ingest":    {may: []string{"internal/ingest", "internal/process"}, reason: mainReason},
		"cmd/worker":    {may: []string{"internal/worker", "internal/process"}, reason: mainReason},
		"cmd/scheduler": {may: []string{"internal/scheduler", "internal/process"}, reason: mainReason},
		"cmd/sandbox":   {may: []string{"internal/sandbox", "internal/process"}, reason: mainReason},
		"cmd/standins":  {may: []string{"internal/standins", "internal/process"}, reason: mainReason},

		"internal/process": {reason: "what every main does the same way knows no service"},

		"internal/ingest": {may: []string{"internal/govwifi", "internal/job", "internal/queue", "internal/sns", "internal/telemetry"},
			reason: "ingest only judges and enqueues: it knows the queue and the envelope, nothing behind them"},
		"internal/worker": {may: []string{"internal/fleet", "internal/govwifi", "internal/job", "internal/mysql", "internal/notify",
			"internal/performance", "internal/queue", "internal/s3", "internal/sns", "internal/sponsormail", "internal/telemetry"},
			// Of sns it needs the receipt, which recover-mail reads out of stored mail.
			reason: "the worker wires jobs to adapters: it needs no other service and no webhook"},
		"internal/scheduler": {may: []string{"internal/job", "internal/queue", "internal/telemetry"},
			reason: "the scheduler decides what is due and enqueues it: the worker does the work"},
		"internal/sandbox": {may: []string{"internal/govwifi", "internal/ingest", "internal/job", "internal/notify/notifytest",
			"internal/outside", "internal/process", "internal/queue", "internal/s3/s3test", "internal/scheduler", "internal/sns", "internal/telemetry", "internal/worker",
			"internal/sandbox/console", "internal/sandbox/people", "internal/sandbox/post", "internal/sandbox/smtpd", "internal/sandbox/trail",
			"internal/sandbox/trouble", "internal/sandbox/wifi", "internal/sandbox/year"},
			reason: "the sandbox runs the services as they are, against stand-ins: it does not replace their adapters"},
		"internal/sandbox/console": {may: []string{"internal/govwifi", "internal/job", "internal/notify/notifytest", "internal/outside", "internal/queue",
			"internal/sandbox/people", "internal/sandbox/post", "internal/sandbox/trail", "internal/sandbox/trouble", "internal/sandbox/wifi",
			"internal/sandbox/year", "internal/telemetry"},
			reason: "the page shows and moves what others are: it starts no service and speaks to no database"},
		"internal/sandbox/people": {may: []string{"internal/govwifi"}, reason: "the table as GovWifi's other services see it: they know nothing of this one"},
		"internal/sandbox/post":   {may: []string{"internal/outside"}, reason: "people write to the world outside, which speaks to the service"},
		"internal/sandbox/smtpd":  {reason: "it takes mail and hands it on: what becomes of it is not its business"},
		"internal/sandbox/trail":  {may: []string{"internal/govwifi"}, outside: nothing, reason: "the way of a message is read from log lines, as an operator reads it: a trail that asks the services would be another thing"},
		"internal/sandbox/trouble": {may: []string{"internal/notify/notifytest", "internal/s3/s3test"},
			reason: "it breaks what is around the service, never the service"},
		"internal/sandbox/wifi": {reason: "the building knows RADIUS and a table of users, not who fills it"},
		"internal/sandbox/year": {may: []string{"internal/govwifi", "internal/job", "internal/s3/s3test"},
			reason: "the figures are what the service's jobs published: it queues them and counts nothing itself"},

		"internal/queue":       {may: []string{"internal/govwifi", "internal/job"}, reason: adapterReason},
		"internal/mysql":       {may: []string{"internal/govwifi"}, reason: adapterReason},
		"internal/notify":      {may: []string{"internal/govwifi"}, reason: adapterReason},
		"internal/fleet":       {may: []string{"internal/govwifi"}, reason: adapterReason},
		"internal/s3":          {may: []string{"internal/govwifi"}, reason: adapterReason},
		"internal/sponsormail": {may: []string{"internal/govwifi"}, reason: adapterReason},
		"internal/performance": {may: []string{"internal/govwifi"}, reason: adapterReason},
		"internal/sns":         {outside: nothing, reason: "SNS envelopes are read with the standard library alone: what strangers send meets no more code than it must"},

		// It masks with govwifi.Mask, the one place that masks.
		"internal/telemetry": {may: []string{"internal/govwifi"}, reason: "every service logs through telemetry, so it depends on none of them"},

		"internal/job": {may: []string{"internal/govwifi"}, outside: nothing,
			reason: "a job sees interfaces only, so that ingest can import it and link neither MySQL nor Notify"},
		"internal/govwifi": {outside: []string{"github.com/nyaruka/phonenumbers", "github.com/sethvargo/go-diceware"},
			reason: "the domain is pure: each of its rules can be tested as a table"},

		"internal/notify/notifytest": {may: []string{"internal/govwifi"}, reason: standInReason},
		"internal/s3/s3test":         {may: []string{"internal/govwifi"}, reason: standInReason},
		"internal/outside": {may: []string{"internal/govwifi", "internal/s3/s3test", "internal/sns"},
			reason: "the world outside speaks to the service over HTTP, as it does in life"},
		"internal/standins": {may: []string{"internal/govwifi", "internal/notify/notifytest", "internal/outside", "internal/s3/s3test", "internal/telemetry"},
			reason: "the stand-ins as programs serve the imitations that tests use, and know nothing of the service"},
		"internal/deployment": {reason: "what is deployed is checked by tests: nothing imports them"},
		"internal/journeys":   {reason: "whole journeys are tests: nothing imports them, and only their tests import the services"},
		"internal/faultrun":   {reason: "the fault run is a test: nothing imports it, and it meets the services as processes only"},
		"internal/dashboards": {reason: "dashboards and alerts are tested on the services that they watch: nothing imports the tests"},
		"internal/measure":    {outside: nothing, reason: "what benchmarks say is told by them: it measures nothing itself"},
		"internal/measure/table": {may: []string{"internal/measure"}, outside: nothing,
			reason: "it writes down what was measured, and nothing else"},
		"internal/testenv":  {reason: "what every test stands on depends on nothing that is tested"},
		"internal/archtest": {outside: nothing, reason: "the rules depend on nothing that they rule"},
	},
	owned: []owned{
		{target: "github.com/labstack/echo", owners: []string{"internal/ingest"}, reason: "HTTP routes are ingest's"},
		{target: "github.com/hibiken/asynq", owners: []string{"internal/queue"}, tests: true, reason: "asynq's words and faults stay in internal/queue"},
		{target: "github.com/hibiken/asynqmon", owners: []string{"internal/sandbox/console"}, reason: "the dashboard has no login: it is never part of a service"},
		{target: "github.com/redis/go-redis", owners: []string{"internal/fleet", "internal/queue"}, tests: true,
			reason: "what is kept in Redis is known to internal/queue and internal/fleet alone"},
		{target: "database/sql", owners: []string{"internal/mysql", "internal/sandbox/people", "internal/testenv"}, tests: true,
			reason: "SQL is spoken in internal/mysql alone"},
		{target: "github.com/go-sql-driver/mysql", owners: []string{"internal/mysql", "internal/sandbox/people", "internal/testenv"}, tests: true,
			reason: "SQL is spoken in internal/mysql alone"},
		{target: "github.com/golang-migrate/migrate", owners: []string{"internal/mysql"}, reason: "SQL is spoken in internal/mysql alone"},
		{target: "github.com/aws", owners: []string{"internal/s3"}, tests: true, reason: "AWS is spoken to in internal/s3 alone"},
		{target: "github.com/getsentry/sentry-go", owners: []string{"internal/telemetry"}, reason: "what leaves for Sentry is masked in internal/telemetry: nothing else may send there"},
		{target: "github.com/alicebob/miniredis", owners: []string{"internal/sandbox"}, reason: sandboxReason},
		{target: "github.com/dolthub", owners: []string{"internal/sandbox"}, reason: sandboxReason},
		{target: "internal/measure", owners: []string{"internal/measure/table"}, tests: true, reason: "it is for benchmarks"},
		{target: "layeh.com/radius", owners: []string{"internal/sandbox/wifi"}, reason: "GovWifi's RADIUS is a service of its own: ours is for trying credentials"},
		{target: "github.com/emersion", owners: []string{"internal/sandbox/smtpd"}, reason: "mail is taken by Amazon SES: ours is for trying"},
		{target: "internal/testenv", tests: true, reason: "it starts servers and fails tests: for _test.go files only"},
		{target: "internal/outside", owners: []string{"internal/sandbox", "internal/sandbox/console", "internal/sandbox/post", "internal/standins"}, tests: true, reason: "a stand-in has no place in a service"},
		{target: "internal/notify/notifytest", owners: []string{"internal/sandbox", "internal/sandbox/console", "internal/sandbox/trouble", "internal/standins"}, tests: true, reason: "a stand-in has no place in a service"},
		{target: "internal/s3/s3test", owners: []string{"internal/outside", "internal/sandbox", "internal/sandbox/trouble", "internal/sandbox/year", "internal/standins"}, tests: true, reason: "a stand-in has no place in a service"},
	},
	unreachable: []ban{
		{from: "cmd/ingest", reason: sandboxReason, targets: triedOnly},
		{from: "cmd/scheduler", reason: sandboxReason, targets: triedOnly},
		{from: "cmd/standins", reason: sandboxReason, targets: triedOnly},
		{from: "cmd/ingest", reason: "ingest judges and enqueues: it must work while MySQL, Notify and S3 do not",
			targets: []string{"database/sql", "internal/mysql", "internal/notify", "internal/s3", "github.com/go-sql-driver", "github.com/aws"}},
		{from: "cmd/scheduler", reason: "the scheduler enqueues: it must work while MySQL, Notify and S3 do not",
			targets: []string{"database/sql", "internal/mysql", "internal/notify", "internal/s3", "github.com/go-sql-driver", "github.com/aws"}},
		{from: "cmd/worker", reason: sandboxReason, targets: triedOnly},
	},
	bannedNames: []string{"app", "common", "core", "helper", "helpers", "misc", "model", "models", "shared", "util", "utils"},
}
