package worker

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/govwifi/user-signup/internal/s3"
	"github.com/govwifi/user-signup/internal/s3/s3test"
)

// Each bucket is looked at as far as the job that uses it needs; those that nobody named
// are no fault.
func TestCheckBuckets(t *testing.T) {
	t.Parallel()
	server, err := s3test.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	server.CreateBucket("there")
	c := S3{Region: "eu-west-2", MailRegion: "eu-west-1", Endpoint: server.URL, UsePathStyle: true,
		AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey}
	store, err := s3.Open(context.Background(), c.config())
	if err != nil {
		t.Fatal(err)
	}
	denied := s3test.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
	for name, want := range map[string]struct {
		bucket string
		fault  s3test.Fault
		fails  []string
		says   string
	}{
		"not set":             {"", s3test.Fault{}, nil, "S3_MAIL_BUCKET is not set"},
		"there":               {"there", s3test.Fault{}, nil, "ok    mail-bucket\n"},
		"missing":             {"missing", s3test.Fault{}, []string{"metrics-bucket", "mail-bucket"}, "→ check S3_MAIL_BUCKET, S3_MAIL_REGION"},
		"not to be looked at": {"there", denied, []string{"templates-bucket", "mail-bucket"}, "ok    metrics-bucket\n"},
	} {
		server.Break(want.fault)
		c.MetricsBucket, c.TemplatesBucket, c.MailBucket = want.bucket, want.bucket, want.bucket
		var out strings.Builder
		r := &checks{out: &out}
		c.checkBuckets(t.Context(), r, store)
		var fails []string
		for line := range strings.Lines(out.String()) {
			if rest, failed := strings.CutPrefix(line, "FAIL"); failed {
				fails = append(fails, strings.Fields(rest)[0])
			}
		}
		if strings.Join(fails, " ") != strings.Join(want.fails, " ") || r.failed != (want.fails != nil) || !strings.Contains(out.String(), want.says) {
			t.Errorf("%s: failed %q in\n%s", name, fails, &out)
		}
	}
}
