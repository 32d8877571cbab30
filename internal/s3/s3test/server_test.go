package s3test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// call is a request to the stand-in, signed by the SDK's signer and then tampered with.
type call struct {
	method, path, body string
	header             map[string]string
	at                 time.Time
	tamper             func(*http.Request)
}

// answer is the stand-in's.
type answer struct {
	*httptest.ResponseRecorder
}

func (a answer) String() string { return fmt.Sprint(a.Code, " ", a.Body) }

func do(t *testing.T, s *Server, c call) answer {
	t.Helper()
	r := httptest.NewRequest(c.method, "http://s3.test"+c.path, strings.NewReader(c.body))
	sum := sha256.Sum256([]byte(c.body))
	digest := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Content-Sha256", digest)
	for name, value := range c.header {
		r.Header.Set(name, value)
	}
	if c.at.IsZero() {
		c.at = time.Now()
	}
	keys := aws.Credentials{AccessKeyID: AccessKeyID, SecretAccessKey: SecretAccessKey}
	if err := v4.NewSigner().SignHTTP(context.Background(), keys, r, digest, "s3", "eu-west-2", c.at); err != nil {
		t.Fatal(err)
	}
	if c.tamper != nil {
		c.tamper(r)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return answer{w}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	get := func(r func(*http.Request)) call { return call{method: "GET", path: "/bkt/k", tamper: r} }
	put := func(header map[string]string) call {
		return call{method: "PUT", path: "/bkt/k", body: "body", header: header}
	}
	chunked := map[string]string{"X-Amz-Content-Sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}
	tests := []struct {
		name   string
		call   call
		status int
		code   string
	}{
		{"unsigned", get(func(r *http.Request) { r.Header.Del("Authorization") }), 403, "AccessDenied"},
		{"basic authorization", get(func(r *http.Request) { r.SetBasicAuth("a", "b") }), 400, "AuthorizationHeaderMalformed"},
		{"another day", get(func(r *http.Request) { r.Header.Set("X-Amz-Date", "20010101T000000Z") }), 400, "AuthorizationHeaderMalformed"},
		{"no digest", get(func(r *http.Request) { r.Header.Del("X-Amz-Content-Sha256") }), 400, "InvalidRequest"},
		{"a header that is not signed", get(func(r *http.Request) { r.Header.Set("X-Amz-Acl", "public-read") }), 403, "AccessDenied"},
		{"clock behind", call{method: "GET", path: "/bkt/k", at: time.Now().Add(-16 * time.Minute)}, 403, "RequestTimeTooSkewed"},
		{"clock ahead", call{method: "GET", path: "/bkt/k", at: time.Now().Add(16 * time.Minute)}, 403, "RequestTimeTooSkewed"},
		{"digest of another body", put(map[string]string{"X-Amz-Content-Sha256": strings.Repeat("0", 64)}), 400, "XAmzContentSHA256Mismatch"},
		{"checksum of another body", put(map[string]string{"X-Amz-Checksum-Crc32": "AAAAAA=="}), 400, "BadDigest"},
		{"not in chunks", put(chunked), 400, "IncompleteBody"},
		{"no length", call{method: "PUT", path: "/bkt/k", tamper: func(r *http.Request) { r.ContentLength = -1 }}, 411, "MissingContentLength"},
		{"key too long", call{method: "PUT", path: "/bkt/" + strings.Repeat("k", 1025)}, 400, "KeyTooLongError"},
		{"put into no bucket", call{method: "PUT", path: "/none/k"}, 404, "NoSuchBucket"},
		{"get from no bucket", call{method: "GET", path: "/none/k"}, 404, "NoSuchBucket"},
		{"get of no object", call{method: "GET", path: "/bkt/none"}, 404, "NoSuchKey"},
		{"list of no bucket", call{method: "GET", path: "/none?list-type=2"}, 404, "NoSuchBucket"},
		{"list with a bad token", call{method: "GET", path: "/bkt?list-type=2&continuation-token=%21"}, 400, "InvalidArgument"},
		{"list of the old kind", call{method: "GET", path: "/bkt"}, 501, "NotImplemented"},
		{"list with a delimiter", call{method: "GET", path: "/bkt?list-type=2&delimiter=%2F"}, 501, "NotImplemented"},
		{"bucket name", call{method: "PUT", path: "/No_Bucket"}, 400, "InvalidBucketName"},
		{"bucket there", call{method: "PUT", path: "/bkt"}, 409, "BucketAlreadyOwnedByYou"},
		{"range behind the end", call{method: "GET", path: "/bkt/k", header: map[string]string{"Range": "bytes=4-9"}}, 416, "InvalidRange"},
		{"two ranges", call{method: "GET", path: "/bkt/k", header: map[string]string{"Range": "bytes=0-1,3-4"}}, 501, "NotImplemented"},
		{"multipart", call{method: "POST", path: "/bkt/k?uploads"}, 501, "NotImplemented"},
		{"delete", call{method: "DELETE", path: "/bkt/k"}, 501, "NotImplemented"},
		{"all buckets", call{method: "GET", path: "/"}, 501, "NotImplemented"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := New()
			s.Put("bkt", Object{Key: "k", Body: []byte("kept")})
			got := do(t, s, tt.call)
			if got.Code != tt.status || !strings.Contains(got.Body.String(), "<Code>"+tt.code+"</Code>") {
				t.Errorf("answered %s, want %d %s", got, tt.status, tt.code)
			}
			if o, _ := s.Get("bkt", "k"); string(o.Body) != "kept" {
				t.Errorf("it stored %q all the same", o.Body)
			}
		})
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	s := New()
	o := s.Put("bkt", Object{Key: "k", Body: []byte("body"), Modified: time.Date(2026, 1, 15, 9, 0, 0, 0, time.UTC)})
	got := do(t, s, call{method: "GET", path: "/bkt/k"})
	if got.Code != 200 || got.Body.String() != "body" || got.Header().Get("ETag") != o.ETag ||
		got.Header().Get("Last-Modified") != "Thu, 15 Jan 2026 09:00:00 GMT" {
		t.Errorf("answered %s with %v", got, got.Header())
	}
	same := do(t, s, call{method: "GET", path: "/bkt/k", header: map[string]string{"If-None-Match": o.ETag}})
	if same.Code != 304 || same.Body.Len() != 0 {
		t.Errorf("the same again: %s", same)
	}
	other := do(t, s, call{method: "GET", path: "/bkt/k", header: map[string]string{"If-None-Match": `"other"`}})
	if other.Code != 200 || other.Body.String() != "body" {
		t.Errorf("another edition: %s", other)
	}
	head := do(t, s, call{method: "HEAD", path: "/bkt/k"})
	if head.Code != 200 || head.Body.Len() != 0 || head.Header().Get("Content-Length") != "4" {
		t.Errorf("HEAD: %s with %v", head, head.Header())
	}
	if none := do(t, s, call{method: "HEAD", path: "/bkt/none"}); none.Code != 404 || none.Body.Len() != 0 {
		t.Errorf("HEAD of no object: %s", none)
	}
}

// Over TLS the SDK uploads in chunks with the checksum behind them, and it compares
// what it downloads with the checksum.
func TestSDKOverTLS(t *testing.T) {
	t.Parallel()
	s := New()
	chunks := 0
	watched := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Content-Encoding"), "aws-chunked") && r.Header.Get("X-Amz-Trailer") != "" {
			chunks++
		}
		s.ServeHTTP(w, r)
	})
	server := httptest.NewTLSServer(watched)
	t.Cleanup(server.Close)
	client := s3.New(s3.Options{
		Region: "eu-west-2", UsePathStyle: true, BaseEndpoint: &server.URL, HTTPClient: server.Client(),
		Credentials:                credentials.NewStaticCredentialsProvider(AccessKeyID, SecretAccessKey, ""),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
	})
	s.CreateBucket("bkt")
	body := bytes.Repeat([]byte("0123456789"), 20_000)
	_, err := client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("bkt"), Key: aws.String("a key/ü+%"), Body: bytes.NewReader(body), ContentType: aws.String("text/plain"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if chunks != 1 {
		t.Errorf("%d uploads in chunks, want 1", chunks)
	}
	if o, ok := s.Get("bkt", "a key/ü+%"); !ok || !bytes.Equal(o.Body, body) || o.ContentType != "text/plain" {
		t.Errorf("it holds %t, %d bytes of %s", ok, len(o.Body), o.ContentType)
	}
	got, err := client.GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String("bkt"), Key: aws.String("a key/ü+%"), ChecksumMode: "ENABLED",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	if text, err := io.ReadAll(got.Body); err != nil || !bytes.Equal(text, body) || aws.ToString(got.ChecksumCRC32) != checksum(body) {
		t.Errorf("downloaded %d bytes, %v, checksum %v", len(text), err, got.ChecksumCRC32)
	}
}

func TestDecodeChunks(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, coded, body, trailer string }{
		{"one", "4\r\nbody\r\n0\r\n\r\n", "body", ""},
		{"two, signed", "2;chunk-signature=ab\r\nbo\r\n2;chunk-signature=cd\r\ndy\r\n0;chunk-signature=ef\r\n\r\n", "body", ""},
		{"trailer", "4\r\nbody\r\n0\r\nx-amz-checksum-crc32:abcd==\r\n\r\n", "body", "abcd=="},
		{"empty", "0\r\n\r\n", "", ""},
	}
	for _, tt := range tests {
		body, trailers, err := decodeChunks([]byte(tt.coded))
		if err != nil || string(body) != tt.body || trailers.Get("X-Amz-Checksum-Crc32") != tt.trailer {
			t.Errorf("%s: %q, %v, %v", tt.name, body, trailers, err)
		}
	}
	for _, coded := range []string{"", "body", "4\r\nbod", "4\r\nbody!!0\r\n\r\n", "-1\r\n", "7fffffff\r\nbody\r\n", "4\r\nbody\r\n"} {
		if body, _, err := decodeChunks([]byte(coded)); err == nil {
			t.Errorf("%q is decoded to %q", coded, body)
		}
	}
}

func TestRequestsKeepsTheLatest(t *testing.T) {
	t.Parallel()
	s := New()
	for i := range maxRequests + 5 {
		s.record(Request{Status: i})
	}
	got := s.Requests()
	if len(got) != maxRequests || got[0].Status != 5 || got[maxRequests-1].Status != maxRequests+4 {
		t.Errorf("%d requests, from %v to %v", len(got), got[0], got[len(got)-1])
	}
}

func TestFaultsApplyToTheChosen(t *testing.T) {
	t.Parallel()
	s := New()
	s.Put("bkt", Object{Key: "k"})
	s.Break(Fault{Applies: func(r Request) bool { return r.Method == http.MethodPut }, Status: 503, Code: "SlowDown"})
	if got := do(t, s, call{method: "GET", path: "/bkt/k"}); got.Code != 200 {
		t.Errorf("GET: %s", got)
	}
	if got := do(t, s, call{method: "PUT", path: "/bkt/k"}); got.Code != 503 {
		t.Errorf("PUT: %s", got)
	}
	s.Break(Fault{})
	if got := do(t, s, call{method: "PUT", path: "/bkt/k"}); got.Code != 200 {
		t.Errorf("PUT when mended: %s", got)
	}
	want := []Request{{"GET", "bkt", "k", 200}, {"PUT", "bkt", "k", 503}, {"PUT", "bkt", "k", 200}}
	for i, r := range s.Requests() {
		if i >= len(want) || r != want[i] {
			t.Errorf("request %d was %v", i, r)
		}
	}
}

func TestStartNeedsAFreePort(t *testing.T) {
	t.Parallel()
	s, err := Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if second, err := Start(strings.TrimPrefix(s.URL, "http://")); err == nil {
		_ = second.Close()
		t.Error("two servers on one port")
	}
}
