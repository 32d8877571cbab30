package deployment

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/scheduler"
	"github.com/govwifi/user-signup/internal/telemetry"
)

// files lists the JSON files of a folder of deploy/ecs.
func files(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(root + "deploy/ecs/" + pattern)
	if err != nil || len(found) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	for i := range found {
		found[i] = strings.TrimPrefix(found[i], root)
	}
	return found
}

// decode reads a file into one of the AWS SDK's own input types, strictly: an unknown
// field or enum value is an error. The SDK's types have no tags, and encoding/json
// compares names without their case, as the AWS CLI's camelCase needs.
func decode[Input any](t *testing.T, name string) Input {
	t.Helper()
	var input Input
	if err := decodeStrictly(read(t, name), &input); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return input
}

func decodeStrictly(text string, into any) error {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	return checkEnums(reflect.ValueOf(into))
}

// checkEnums goes through a value and finds a text that its type does not list.
func checkEnums(v reflect.Value) error {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return checkEnums(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			if err := checkEnums(v.Index(i)); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for field, value := range v.Fields() {
			if err := checkEnums(value); field.IsExported() && err != nil {
				return fmt.Errorf("%s: %w", field.Name, err)
			}
		}
	case reflect.String:
		values := v.MethodByName("Values")
		if v.String() == "" || !values.IsValid() {
			return nil
		}
		known := values.Call(nil)[0]
		for i := range known.Len() {
			if known.Index(i).String() == v.String() {
				return nil
			}
		}
		return fmt.Errorf("%s is no %s", v, v.Type())
	}
	return nil
}

// Strict means strict, or the tests below prove nothing.
func TestDecodingIsStrict(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"family":"x","networkMode":"awsvpc","containerDefinitions":[{"name":"x","stopTimeout":3}]}`: "",
		`{"famly":"x"}`: "unknown field",
		`{"containerDefinitions":[{"enviroment":[]}]}`:         "unknown field",
		`{"networkMode":"vpc"}`:                                "NetworkMode: vpc is no",
		`{"containerDefinitions":[{"stopTimeout":"3"}]}`:       "cannot unmarshal",
		`{"runtimePlatform":{"cpuArchitecture":"x86"}}`:        "CpuArchitecture: x86",
		`{"requiresCompatibilities":["FARGATE","FARGATTE"]}`:   "FARGATTE",
		`{"containerDefinitions":[{"readOnlyRootFileSys":1}]}`: "unknown field",
	} {
		err := decodeStrictly(text, &ecs.RegisterTaskDefinitionInput{})
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func taskDefinitions(t *testing.T) map[string]ecs.RegisterTaskDefinitionInput {
	t.Helper()
	all := map[string]ecs.RegisterTaskDefinitionInput{}
	for _, name := range files(t, "task-definitions/*.json") {
		task := decode[ecs.RegisterTaskDefinitionInput](t, name)
		all[*task.Family] = task
	}
	return all
}

// isOurs leaves out the CloudWatch agent.
func isOurs(c types.ContainerDefinition) bool { return strings.Contains(*c.Image, "/user-signup/") }

func TestTaskDefinitions(t *testing.T) {
	t.Parallel()
	tasks := taskDefinitions(t)
	for _, family := range []string{"ingest", "worker", "scheduler", "asynqmon", "migrate"} {
		task, found := tasks["user-signup-"+family]
		if !found {
			t.Errorf("there is no task definition for %s", family)
			continue
		}
		memory := map[string][]string{"256": {"512", "1024", "2048"}, "512": {"1024", "2048", "3072", "4096"}} // what Fargate offers
		if !slices.Contains(memory[*task.Cpu], *task.Memory) {
			t.Errorf("%s: Fargate has no %s CPU with %s MB", family, *task.Cpu, *task.Memory)
		}
		for _, c := range task.ContainerDefinitions {
			if isOurs(c) {
				checkContainer(t, c)
			}
		}
	}
}

func checkContainer(t *testing.T, c types.ContainerDefinition) {
	t.Helper()
	given := environment(c)
	for name := range given {
		if slices.Contains(secrets, name) {
			t.Errorf("%s: the secret %s is in the file", *c.Name, name)
		}
	}
	for _, secret := range c.Secrets {
		if samples[*secret.Name] == "" || !strings.HasSuffix(*secret.ValueFrom, "/user-signup/"+*secret.Name) {
			t.Errorf("%s: %s is from %s", *c.Name, *secret.Name, *secret.ValueFrom)
		}
		given[*secret.Name] = samples[*secret.Name]
	}
	for _, fault := range environmentFaults(c.Command, given) {
		t.Errorf("%s: %s", *c.Name, fault)
	}
	if *c.User != "65532:65532" || !*c.ReadonlyRootFilesystem || !slices.Equal(c.LinuxParameters.Capabilities.Drop, []string{"ALL"}) {
		t.Errorf("%s may do more than it needs", *c.Name)
	}
	if given["SHUTDOWN_TIMEOUT"] != "" {
		drain, err := time.ParseDuration(given["SHUTDOWN_TIMEOUT"])
		if err != nil || time.Duration(*c.StopTimeout)*time.Second < drain+10*time.Second {
			t.Errorf("%s drains for %v, %v, and is killed after %d s", *c.Name, drain, err, *c.StopTimeout)
		}
	}
	if *c.StopTimeout > 120 {
		t.Errorf("%s: Fargate waits 120 s at most, not %d", *c.Name, *c.StopTimeout)
	}
	if *c.Name == "ingest" && given["REDIS_MIN_REPLICAS"] != "1" {
		t.Error("ingest answers 200 before a replica has the job")
	}
	if *c.Name == "worker" && given["REDIS_MIN_REPLICAS"] != "1" {
		t.Error("the worker sends messages of jobs that no replica knows to be taken")
	}
	if check := c.HealthCheck; check != nil && !slices.Equal(check.Command, []string{"CMD", c.Command[0], "-healthcheck"}) {
		t.Errorf("%s: its health check runs %q", *c.Name, check.Command)
	} else if check == nil && slices.Contains([]string{"ingest", "worker", "scheduler"}, *c.Name) {
		t.Errorf("%s has no health check", *c.Name)
	}
}

// A service runs a task that there is, and its load balancer finds the container.
func TestServices(t *testing.T) {
	t.Parallel()
	tasks := taskDefinitions(t)
	for _, name := range files(t, "services/*.json") {
		service := decode[ecs.CreateServiceInput](t, name)
		task, found := tasks[*service.TaskDefinition]
		if !found || *service.ServiceName != *service.TaskDefinition {
			t.Errorf("%s runs %s", *service.ServiceName, *service.TaskDefinition)
		}
		for _, lb := range service.LoadBalancers {
			c := container(task, *lb.ContainerName)
			if c == nil || len(c.PortMappings) != 1 || *c.PortMappings[0].ContainerPort != *lb.ContainerPort {
				t.Errorf("%s: there is no port %d of %s", name, *lb.ContainerPort, *lb.ContainerName)
			}
		}
		if !service.DeploymentConfiguration.DeploymentCircuitBreaker.Rollback {
			t.Errorf("%s is not rolled back", name)
		}
	}
}

func container(task ecs.RegisterTaskDefinitionInput, name string) *types.ContainerDefinition {
	for _, c := range task.ContainerDefinitions {
		if *c.Name == name {
			return &c
		}
	}
	return nil
}

// Each example overrides a container that its task has, and its command is one that
// the program takes. In the Ruby service's own, one named a container that was not
// there, and ran never (docs/facts.md, D1).
func TestRunTasks(t *testing.T) {
	t.Parallel()
	tasks := taskDefinitions(t)
	nextDay := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) // after the date in the examples
	commands := map[string]bool{}
	for _, name := range files(t, "run-task/*.json") {
		run := decode[ecs.RunTaskInput](t, name)
		override := run.Overrides.ContainerOverrides[0]
		if container(tasks[*run.TaskDefinition], *override.Name) == nil {
			t.Errorf("%s: %s has no container %s", name, *run.TaskDefinition, *override.Name)
		}
		if override.Command[0] == "scheduler" {
			commands[strings.TrimSuffix(filepath.Base(name), ".json")] = slices.Contains(override.Command, "-wait")
			if _, err := scheduler.Parse(override.Command[1:], nextDay); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		} else if configs()[strings.Join(override.Command, " ")] == nil {
			t.Errorf("%s: nobody here knows %q", name, override.Command)
		}
	}
	for _, periodic := range job.Periodics() {
		if !commands[periodic.Name] {
			t.Errorf("there is no run-task/%s.json that waits for the outcome", periodic.Name)
		}
	}
}

// unmeasured are queues whose latency is some number.
type unmeasured struct{}

func (unmeasured) Measure(_ context.Context, tasks func(string, string, int64), latency func(string, time.Duration)) error {
	tasks("interactive", "pending", 1)
	latency("interactive", time.Second)
	return nil
}

// exportedByScheduler are the names of the metrics that the side-car can scrape.
func exportedByScheduler(t *testing.T) map[string]bool {
	t.Helper()
	metrics := telemetry.NewMetrics()
	metrics.Queues(unmeasured{}, slog.New(slog.DiscardHandler)) // as scheduler.Run does
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, family := range families {
		names[family.GetName()] = true
	}
	return names
}

// What workers are scaled by is exported by the scheduler and sent on by the agent.
func TestAutoscaling(t *testing.T) {
	t.Parallel()
	services := map[string]bool{}
	for _, name := range files(t, "services/*.json") {
		s := decode[ecs.CreateServiceInput](t, name)
		services["service/"+*s.Cluster+"/"+*s.ServiceName] = true
	}
	exported := exportedByScheduler(t)
	agent := read(t, "deploy/ecs/task-definitions/scheduler.json")
	for _, name := range files(t, "autoscaling/*.json") {
		switch {
		case strings.HasSuffix(name, "-target.json"):
			target := decode[applicationautoscaling.RegisterScalableTargetInput](t, name)
			if !services[*target.ResourceId] || *target.MinCapacity < 2 {
				t.Errorf("%s: %s, at least %d", name, *target.ResourceId, *target.MinCapacity)
			}
		case strings.HasSuffix(name, "-alarm.json"):
			alarm := decode[cloudwatch.PutMetricAlarmInput](t, name)
			if !exported[*alarm.MetricName] {
				t.Errorf("%s: the scheduler exports no %s", name, *alarm.MetricName)
			}
			for _, want := range []string{*alarm.MetricName, *alarm.Namespace, *alarm.Dimensions[0].Name} {
				if !strings.Contains(agent, strconv.Quote(want)[1:len(want)+1]) {
					t.Errorf("%s: the agent does not send %s", name, want)
				}
			}
		default:
			if p := decode[applicationautoscaling.PutScalingPolicyInput](t, name); !services[*p.ResourceId] {
				t.Errorf("%s scales %s", name, *p.ResourceId)
			}
		}
	}
}

// Every placeholder of the files is explained.
func TestPlaceholdersAreExplained(t *testing.T) {
	t.Parallel()
	readme := read(t, "deploy/ecs/README.md")
	used := map[string]bool{}
	for _, name := range files(t, "*/*.json") {
		for _, placeholder := range regexp.MustCompile(`\$\{([A-Z_]+)\}`).FindAllStringSubmatch(read(t, name), -1) {
			used[placeholder[1]] = true
		}
	}
	for placeholder := range used {
		if !strings.Contains(readme, "`"+placeholder+"`") {
			t.Errorf("deploy/ecs/README.md does not explain %s", placeholder)
		}
	}
}
