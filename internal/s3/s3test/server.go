// Package s3test is a stand-in for AWS S3, for tests and for stacks that run without
// AWS. It speaks enough of S3's path-style REST API for this service, is as strict
// about what it is sent as S3 is, except that it takes every signature of the right form,
// can be asked what it holds and was asked for, and told to fail. It keeps everything
// in memory.
package s3test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Credentials for clients that need some; any others do as well.
const (
	AccessKeyID     = "S3TEST"
	SecretAccessKey = "s3test-is-no-secret"
)

// maxRequests is how many requests the server remembers.
const maxRequests = 1000

// Object is what a bucket holds under a key.
type Object struct {
	Key  string
	Body []byte
	// ContentType is empty for S3's default, binary/octet-stream.
	ContentType string
	// Modified is when it was stored; Put takes zero for now.
	Modified time.Time
	// ETag is S3's for an object that was stored in one piece, quotes included; Put
	// computes it.
	ETag string
}

// Request is one that was answered or, with Status 0, left without an answer.
type Request struct {
	Method, Bucket, Key string
	Status              int
}

// Fault says what goes wrong with requests; the zero Fault is none.
type Fault struct {
	// Applies chooses the requests, by method, bucket and key; nil means all.
	Applies func(Request) bool
	// Delay comes before everything else. It ends early when the client gives up or
	// another fault is set.
	Delay time.Duration
	// HangUp cuts the connection in place of an answer.
	HangUp bool
	// Status and Code are the answer, such as 503 SlowDown; 0 means none of its own.
	Status int
	Code   string
	// CutAfter cuts the connection after that many bytes of a body; 0 means never.
	CutAfter int
}

// Server is the stand-in. New makes one to be mounted as an http.Handler; Start
// makes one that listens.
type Server struct {
	// URL is where a started server is, without a slash at the end.
	URL string

	http *http.Server

	mu       sync.Mutex
	buckets  map[string]map[string]Object
	requests []Request
	pageSize int
	fault    Fault
	// mended is closed when fault is replaced.
	mended chan struct{}
}

// New returns an empty server that does not listen.
func New() *Server {
	return &Server{buckets: make(map[string]map[string]Object), pageSize: 1000, mended: make(chan struct{})}
}

// Start listens on the address, such as 127.0.0.1:0, until Close.
func Start(addr string) (*Server, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("start the S3 stand-in: %w", err)
	}
	s := New()
	s.URL = "http://" + listener.Addr().String()
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			panic("s3test: " + err.Error()) // a stand-in that is silently gone misleads
		}
	}()
	return s, nil
}

// Close cuts every connection of a started server. What it holds can still be asked.
func (s *Server) Close() error { return s.http.Close() }

// CreateBucket makes an empty bucket, or leaves the one there is.
func (s *Server) CreateBucket(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[name] == nil {
		s.buckets[name] = make(map[string]Object)
	}
}

// Put stores an object and returns it as stored; the bucket is made if it is missing.
func (s *Server) Put(bucket string, o Object) Object {
	s.CreateBucket(bucket)
	if o.Modified.IsZero() {
		o.Modified = time.Now()
	}
	o.Modified = o.Modified.UTC().Truncate(time.Second)
	o.Body = bytes.Clone(o.Body)
	sum := md5.Sum(o.Body)
	o.ETag = `"` + hex.EncodeToString(sum[:]) + `"`
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buckets[bucket][o.Key] = o
	return o
}

// Get returns an object, and whether there is one.
func (s *Server) Get(bucket, key string) (Object, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.buckets[bucket][key]
	return o, ok
}

// HasBucket says whether there is such a bucket.
func (s *Server) HasBucket(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buckets[name] != nil
}

// Delete removes an object.
func (s *Server) Delete(bucket, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.buckets[bucket], key)
}

// List returns a bucket's objects in the order of their keys, and whether there is
// such a bucket.
func (s *Server) List(bucket string) ([]Object, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held, ok := s.buckets[bucket]
	objects := make([]Object, 0, len(held))
	for _, o := range held {
		objects = append(objects, o)
	}
	slices.SortFunc(objects, func(a, b Object) int { return cmp.Compare(a.Key, b.Key) })
	return objects, ok
}

// SetPageSize makes lists come in pages of n keys instead of S3's 1,000.
func (s *Server) SetPageSize(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pageSize = n
}

// Requests returns the latest 1,000 requests that have ended, oldest first.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Break makes requests go wrong until it is called again; Break(Fault{}) mends all.
func (s *Server) Break(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
	close(s.mended)
	s.mended = make(chan struct{})
}

func (s *Server) record(r Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
	if extra := len(s.requests) - maxRequests; extra > 0 {
		s.requests = slices.Delete(s.requests, 0, extra)
	}
}
