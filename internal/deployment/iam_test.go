package deployment

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// policy is an IAM policy in its only version.
type policy struct {
	Version   string
	Statement []struct {
		Sid, Effect      string
		Principal        map[string]string
		Action, Resource []string
		Condition        map[string]map[string]string
	}
}

// No statement allows more than it names.
func TestPolicies(t *testing.T) {
	t.Parallel()
	action := regexp.MustCompile(`^[a-z0-9-]+:[A-Z][A-Za-z]+$`)
	for _, name := range files(t, "iam/*.json") {
		p := decode[policy](t, name)
		if p.Version != "2012-10-17" || len(p.Statement) == 0 {
			t.Errorf("%s is version %s", name, p.Version)
		}
		for _, s := range p.Statement {
			for _, a := range s.Action {
				if !action.MatchString(a) {
					t.Errorf("%s, %s: allows %s", name, s.Sid, a)
				}
			}
			// The one action that AWS knows no resource for.
			everything := slices.Contains(s.Resource, "*") && !slices.Equal(s.Action, []string{"ecr:GetAuthorizationToken"})
			if nothing := len(s.Resource) == 0 && s.Principal == nil; everything || nothing || s.Effect != "Allow" {
				t.Errorf("%s, %s: %s on %q", name, s.Sid, s.Effect, s.Resource)
			}
		}
	}
}

// The worker may do what its code does with the buckets that its task names, and
// nothing else: HeadBucket is ListBucket to IAM, and the backup of templates, which
// makes a missing bucket, finds one that was made beforehand.
func TestWorkerMayUseItsBuckets(t *testing.T) {
	t.Parallel()
	worker := environment(*container(taskDefinitions(t)["user-signup-worker"], "worker"))
	bucket := func(variable string) string {
		if worker[variable] == "" {
			t.Errorf("the worker's task does not set %s", variable)
		}
		return "arn:aws:s3:::" + worker[variable]
	}
	allow, mail := bucket("S3_SIGNUP_ALLOWLIST_BUCKET"), bucket("S3_MAIL_BUCKET")
	metrics, templates := bucket("S3_METRICS_BUCKET"), bucket("S3_NOTIFICATION_TEMPLATES_BUCKET")
	want := map[string][]string{
		"s3:GetObject": {allow + "/" + worker["S3_SIGNUP_ALLOWLIST_OBJECT_KEY"], mail + "/*"},
		"s3:PutObject": {metrics + "/volumetrics/*", metrics + "/completion_rate/*", templates + "/notify_template_*.json"},
		// To find lost mail, and for worker check and the backup to look for buckets.
		"s3:ListBucket": {mail, metrics, templates},
	}
	got := map[string][]string{}
	for _, s := range decode[policy](t, "deploy/ecs/iam/worker-role.json").Statement {
		for _, action := range s.Action {
			got[action] = append(got[action], s.Resource...)
		}
	}
	for _, rights := range []map[string][]string{want, got} {
		for action := range rights {
			slices.Sort(rights[action])
		}
	}
	if !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("the worker may\n%v\nand needs\n%v", got, want)
	}
}

// environment is what a container's variables are, but for its secrets.
func environment(c types.ContainerDefinition) map[string]string {
	given := map[string]string{}
	for _, pair := range c.Environment {
		given[*pair.Name] = *pair.Value
	}
	return given
}

// Whoever starts tasks by hand may start those that there are examples for, and no
// others, with the roles that they have.
func TestOperatorMayStartTheExamples(t *testing.T) {
	t.Parallel()
	tasks, roles := map[string]bool{}, map[string]bool{}
	for _, name := range files(t, "run-task/*.json") {
		task := taskDefinitions(t)[*decode[ecs.RunTaskInput](t, name).TaskDefinition]
		tasks["task-definition/"+*task.Family+":*"] = true
		for _, role := range []*string{task.ExecutionRoleArn, task.TaskRoleArn} {
			if role != nil {
				roles[*role] = true
			}
		}
	}
	for _, s := range decode[policy](t, "deploy/ecs/iam/operator.json").Statement {
		want := map[string]map[string]bool{"ecs:RunTask": tasks, "iam:PassRole": roles}[s.Action[0]]
		if want == nil {
			continue
		}
		got := map[string]bool{}
		for _, resource := range s.Resource {
			got[strings.TrimPrefix(resource, "arn:aws:ecs:eu-west-2:${ACCOUNT}:")] = true
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: may %s %v, and needs %v", s.Sid, s.Action[0], got, want)
		}
	}
}
