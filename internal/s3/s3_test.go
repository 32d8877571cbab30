package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"go.uber.org/goleak"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/s3/s3test"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// setup starts a stand-in of its own for the test, and a store that uses it.
func setup(t *testing.T) (*Store, *s3test.Server) {
	t.Helper()
	server, err := s3test.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Break(s3test.Fault{}) // lets go whom a fault still holds
		_ = server.Close()
	})
	return open(t, server.URL), server
}

func open(t *testing.T, url string) *Store {
	t.Helper()
	store, err := Open(t.Context(), Config{
		Region: "eu-west-2", UsePathStyle: true, Endpoint: url,
		AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestFetch(t *testing.T) {
	t.Parallel()
	store, server := setup(t)
	mail := make([]byte, 3<<20)
	_, _ = rand.Read(mail)
	server.Put("mail", s3test.Object{Key: "some/mail", Body: mail})
	got := fetch(t, store, "mail", "some/mail")
	if !bytes.Equal(got, mail) {
		t.Errorf("fetched %d bytes that differ from the %d stored", len(got), len(mail))
	}
}

func fetch(t *testing.T, store *Store, bucket, object string) []byte {
	t.Helper()
	body, err := store.Fetch(t.Context(), bucket, object)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	got, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestHead(t *testing.T) {
	t.Parallel()
	store, server := setup(t)
	mail := make([]byte, 3<<20)
	_, _ = rand.Read(mail)
	for name, n := range map[string]int{"long": len(mail), "just": maxHead, "short": 10, "empty": 0} {
		server.Put("mail", s3test.Object{Key: name, Body: mail[:n]})
		got, err := store.Head(t.Context(), "mail", name)
		if err != nil || !bytes.Equal(got, mail[:min(n, maxHead)]) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	if _, err := store.Head(t.Context(), "mail", "none"); !errors.Is(err, govwifi.ErrNotFound) {
		t.Errorf("none: %v", err)
	}
	server.Break(s3test.Fault{CutAfter: 100})
	if head, err := store.Head(t.Context(), "mail", "long"); err == nil {
		t.Errorf("cut off: %d bytes pass for a head", len(head))
	}
}

func TestFetchReadsNoMoreThanAMail(t *testing.T) {
	t.Parallel()
	store, server := setup(t)
	server.Put("mail", s3test.Object{Key: "long", Body: make([]byte, MaxMail+100)})
	body, err := store.Fetch(t.Context(), "mail", "long")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	if n, err := io.Copy(io.Discard, body); err != nil || n != MaxMail {
		t.Errorf("%d bytes read, %v, want %d", n, err, MaxMail)
	}
}

// A mail that arrives in part must not be taken for a shorter mail.
func TestFetchReportsACutConnection(t *testing.T) {
	t.Parallel()
	store, server := setup(t)
	server.Put("mail", s3test.Object{Key: "m", Body: make([]byte, 1<<20)})
	server.Break(s3test.Fault{CutAfter: 1000})
	body, err := store.Fetch(t.Context(), "mail", "m")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	if n, err := io.Copy(io.Discard, body); err == nil || n != 1000 {
		t.Errorf("read %d bytes, %v; want 1000 and an error", n, err)
	}
}

func TestPut(t *testing.T) {
	t.Parallel()
	store, server := setup(t)
	server.CreateBucket("metrics")
	const key = "volumetrics/volumetrics-day-2020-09-24"
	for _, body := range []string{`{"old":1}`, `{"period":"day"}`} {
		if err := store.Put(t.Context(), "metrics", key, []byte(body)); err != nil {
			t.Fatal(err)
		}
		if o, ok := server.Get("metrics", key); !ok || string(o.Body) != body {
			t.Errorf("the bucket holds %q, %t, want %q", o.Body, ok, body)
		}
	}
}

func TestEnsureBucket(t *testing.T) {
	t.Parallel()
	store, server := setup(t)
	for range 2 {
		if err := store.EnsureBucket(t.Context(), "backups"); err != nil {
			t.Fatal(err)
		}
		if _, ok := server.List("backups"); !ok {
			t.Fatal("there is no bucket")
		}
		if err := store.Put(t.Context(), "backups", "x", nil); err != nil {
			t.Fatal(err)
		}
	}
	if objects, _ := server.List("backups"); len(objects) != 1 {
		t.Errorf("the bucket was made anew: it holds %v", objects)
	}
	if n := count(server, http.MethodPut, "backups", ""); n != 1 {
		t.Errorf("%d requests created the bucket, want 1", n)
	}
}

// Two workers may both find that the bucket is missing.
func TestEnsureBucketWhenAnotherIsQuicker(t *testing.T) {
	t.Parallel()
	store, server := setup(t)
	server.CreateBucket("backups")
	server.Break(s3test.Fault{
		Applies: func(r s3test.Request) bool { return r.Method == http.MethodHead }, Status: 404, Code: "NoSuchBucket",
	})
	if err := store.EnsureBucket(t.Context(), "backups"); err != nil {
		t.Error(err)
	}
}

// A bucket that cannot be looked at is no missing bucket.
func TestEnsureBucketCreatesNoneOnTrouble(t *testing.T) {
	t.Parallel()
	store, server := setup(t)
	server.Break(s3test.Fault{Applies: func(r s3test.Request) bool { return r.Method == http.MethodHead }, Status: 403, Code: "AccessDenied"})
	err := store.EnsureBucket(t.Context(), "backups")
	if err == nil || !strings.Contains(err.Error(), adviseAccess) {
		t.Errorf("EnsureBucket() = %v, want advice about access", err)
	}
	if _, ok := server.List("backups"); ok {
		t.Error("a bucket was created")
	}
}

func count(server *s3test.Server, method, bucket, key string) int {
	n := 0
	for _, r := range server.Requests() {
		if r.Method == method && r.Bucket == bucket && r.Key == key {
			n++
		}
	}
	return n
}

func TestList(t *testing.T) {
	t.Parallel()
	store, server := setup(t)
	since := time.Date(2026, 1, 15, 12, 0, 0, 5e8, time.UTC)
	server.Put("mail", s3test.Object{Key: "a-before", Modified: since.Add(-time.Second)})
	server.Put("mail", s3test.Object{Key: "b-same", Modified: since.Add(time.Millisecond)})
	server.Put("mail", s3test.Object{Key: "c-before", Modified: since.Add(-time.Hour)})
	server.Put("mail", s3test.Object{Key: "d-after", Modified: since.Add(time.Hour)})
	server.Put("mail", s3test.Object{Key: "e-after", Modified: since.Add(time.Minute)})
	server.SetPageSize(2)
	want := []Object{
		{"b-same", since.Truncate(time.Second)},
		{"d-after", since.Add(time.Hour).Truncate(time.Second)},
		{"e-after", since.Add(time.Minute).Truncate(time.Second)},
	}
	var got []Object
	for o, err := range store.List(t.Context(), "mail", since) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, o)
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	for range store.List(t.Context(), "mail", since) {
		break // asks for no further page
	}
	if n := count(server, http.MethodGet, "mail", ""); n != 3+1 {
		t.Errorf("%d pages were asked for, want 3 and 1", n)
	}
}

func TestListReportsTrouble(t *testing.T) {
	t.Parallel()
	store, _ := setup(t)
	var errs []error
	for _, err := range store.List(t.Context(), "nowhere", time.Time{}) {
		errs = append(errs, err)
	}
	if len(errs) != 1 || !errors.Is(errs[0], govwifi.ErrNotFound) {
		t.Errorf("listing a missing bucket gives %v", errs)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		status   int
		code     string
		want     string
		notFound bool
	}{
		{"missing object", 404, "NoSuchKey", "not found", true},
		{"missing bucket", 404, "NoSuchBucket", "not found", true},
		{"wrong endpoint", 404, "NoSuchPage", "NoSuchPage", false},
		{"denied", 403, "AccessDenied", "allow the worker's role", false},
		{"expired", 400, "ExpiredToken", "renew them", false},
		{"unknown key", 403, "InvalidAccessKeyId", "renew them", false},
		{"wrong secret", 403, "SignatureDoesNotMatch", "renew them", false},
		{"another region", 301, "PermanentRedirect", "AWS_REGION", false},
		{"wrong clock", 403, "RequestTimeTooSkewed", "clock", false},
		{"S3's fault", 500, "InternalError", "InternalError", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			store, server := setup(t)
			server.Break(s3test.Fault{Status: tt.status, Code: tt.code})
			_, fetched := store.Fetch(t.Context(), "bucket", "object")
			stored := store.Put(t.Context(), "bucket", "object", []byte("x"))
			for _, err := range []error{fetched, stored} {
				if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "object") {
					t.Errorf("got %v, want it to name the object and to say %q", err, tt.want)
				}
				if errors.Is(err, govwifi.ErrNotFound) != tt.notFound {
					t.Errorf("%v: is ErrNotFound = %t", err, !tt.notFound)
				}
			}
		})
	}
}

// The stand-in's own 404s, one by one, are what S3 says.
func TestMissingThings(t *testing.T) {
	t.Parallel()
	store, server := setup(t)
	server.CreateBucket("mail")
	_, object := store.Fetch(t.Context(), "mail", "gone")
	_, bucket := store.Fetch(t.Context(), "nowhere", "gone")
	put := store.Put(t.Context(), "nowhere", "x", nil)
	for _, err := range []error{object, bucket, put} {
		if !errors.Is(err, govwifi.ErrNotFound) {
			t.Errorf("%v is not ErrNotFound", err)
		}
	}
}

func TestRetriesAreBounded(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]s3test.Fault{
		"503":     {Status: 503, Code: "SlowDown"},
		"hang-up": {HangUp: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, server := setup(t)
			server.Break(fault)
			if err := store.Put(t.Context(), "bucket", "key", []byte("x")); err == nil {
				t.Error("no error")
			}
			if n := count(server, http.MethodPut, "bucket", "key"); n != maxAttempts {
				t.Errorf("%d attempts, want %d", n, maxAttempts)
			}
		})
	}
}

func TestContextEndsARequest(t *testing.T) {
	t.Parallel()
	store, server := setup(t)
	server.Break(s3test.Fault{Delay: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := store.Fetch(ctx, "mail", "m"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Fetch() = %v", err)
	}
}

func TestOpenReadsWhatTheSDKReads(t *testing.T) {
	server, err := s3test.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	t.Setenv("AWS_REGION", "eu-west-2")
	t.Setenv("AWS_ENDPOINT_URL_S3", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "from")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "environment")
	store, err := Open(t.Context(), Config{UsePathStyle: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.EnsureBucket(t.Context(), "backups"); err != nil {
		t.Error(err)
	}
	if general, mail := store.general.Options().Region, store.mail.Options().Region; general != "eu-west-2" || mail != DefaultMailRegion {
		t.Errorf("regions %s and, for mail, %s", general, mail)
	}
}

// hideEnvironment keeps the SDK from the configuration of whoever runs the tests.
func hideEnvironment(t *testing.T) {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

func TestOpenNeedsARegion(t *testing.T) {
	hideEnvironment(t)
	if _, err := Open(t.Context(), Config{}); err == nil || !strings.Contains(err.Error(), "AWS_REGION") {
		t.Errorf("Open() = %v", err)
	}
}

func TestNoCredentials(t *testing.T) {
	hideEnvironment(t)
	store, err := Open(t.Context(), Config{Region: "eu-west-2", Endpoint: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Put(t.Context(), "bucket", "key", nil); err == nil || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") {
		t.Errorf("Put() = %v", err)
	}
}

func TestLocation(t *testing.T) {
	t.Parallel()
	if l := location("us-east-1"); l != nil {
		t.Errorf("us-east-1 is named as %v", aws.ToString((*string)(&l.LocationConstraint)))
	}
	if l := location("eu-west-2"); l == nil || l.LocationConstraint != "eu-west-2" {
		t.Errorf("eu-west-2 gives %v", l)
	}
}
