package s3test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ServeHTTP answers one request of S3's API, or lets it go wrong as Break says.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	request := Request{Method: r.Method, Bucket: bucket, Key: key}
	watched := &watchedWriter{ResponseWriter: w}
	defer func() {
		request.Status = watched.status
		s.record(request)
	}()
	fault, mended := s.faultFor(request)
	if fault.Delay > 0 {
		// Only with the body read does the server notice a client that gives up.
		body, refusal := readBody(r)
		if refusal != nil {
			refusal.write(watched, r)
			return
		}
		r.Body = body
		select {
		case <-time.After(fault.Delay):
		case <-mended:
			fault, _ = s.faultFor(request)
		case <-r.Context().Done():
			return
		}
	}
	switch {
	case fault.HangUp:
		panic(http.ErrAbortHandler)
	case fault.Status != 0:
		(&refusal{fault.Status, fault.Code, "The stand-in was told to answer so."}).write(watched, r)
		return
	case fault.CutAfter > 0:
		watched.left, watched.cuts = fault.CutAfter, true
	}
	if refusal := s.serve(watched, r, request); refusal != nil {
		refusal.write(watched, r)
	}
}

func (s *Server) faultFor(r Request) (Fault, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault.Applies != nil && !s.fault.Applies(r) {
		return Fault{}, nil
	}
	return s.fault, s.mended
}

// watchedWriter notes the status, and cuts the connection where told to.
type watchedWriter struct {
	http.ResponseWriter
	status, left int
	cuts         bool
}

// WriteHeader notes the status.
func (w *watchedWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Write cuts the connection once it has passed on what is left to pass on.
func (w *watchedWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if !w.cuts || len(p) <= w.left {
		w.left -= len(p)
		return w.ResponseWriter.Write(p)
	}
	_, _ = w.ResponseWriter.Write(p[:w.left])
	_ = http.NewResponseController(w.ResponseWriter).Flush()
	panic(http.ErrAbortHandler)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, request Request) *refusal {
	if refusal := checkSignature(r); refusal != nil {
		return refusal
	}
	body, refusal := takeBody(r)
	if refusal != nil {
		return refusal
	}
	query := r.URL.Query()
	query.Del("x-id") // the SDK's name of the operation
	isList := query.Get("list-type") == "2"
	switch op := r.Method; {
	case request.Bucket == "" || (len(query) > 0 && !isList):
		return &refusal501
	case request.Key == "" && op == http.MethodPut:
		return s.createBucket(w, request.Bucket)
	case request.Key == "" && op == http.MethodHead:
		return s.headBucket(w, request.Bucket)
	case request.Key == "" && op == http.MethodGet && isList:
		return s.list(w, r, request.Bucket)
	case request.Key != "" && op == http.MethodPut:
		return s.putObject(w, r, request, body)
	case request.Key != "" && (op == http.MethodGet || op == http.MethodHead):
		return s.getObject(w, r, request)
	}
	return &refusal501
}

// bucketName is S3's rule for the names of buckets, less its finer points.
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

func (s *Server) createBucket(w http.ResponseWriter, bucket string) *refusal {
	if !bucketName.MatchString(bucket) {
		return &refusal{http.StatusBadRequest, "InvalidBucketName", "The specified bucket is not valid."}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[bucket] != nil {
		return &refusal{http.StatusConflict, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it."}
	}
	s.buckets[bucket] = make(map[string]Object)
	w.Header().Set("Location", "/"+bucket)
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Server) headBucket(w http.ResponseWriter, bucket string) *refusal {
	if !s.HasBucket(bucket) {
		return &noSuchBucket
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Server) putObject(w http.ResponseWriter, r *http.Request, request Request, body []byte) *refusal {
	if len(request.Key) > 1024 {
		return &refusal{http.StatusBadRequest, "KeyTooLongError", "Your key is too long."}
	}
	if !s.HasBucket(request.Bucket) {
		return &noSuchBucket
	}
	object := s.Put(request.Bucket, Object{Key: request.Key, Body: body, ContentType: r.Header.Get("Content-Type")})
	w.Header().Set("ETag", object.ETag)
	w.WriteHeader(http.StatusOK)
	return nil
}

// getObject leaves the conditions (If-None-Match), ranges and HEAD to net/http.
func (s *Server) getObject(w http.ResponseWriter, r *http.Request, request Request) *refusal {
	if !s.HasBucket(request.Bucket) {
		return &noSuchBucket
	}
	object, ok := s.Get(request.Bucket, request.Key)
	if !ok {
		return &refusal{http.StatusNotFound, "NoSuchKey", "The specified key does not exist."}
	}
	h := w.Header()
	h.Set("ETag", object.ETag)
	h.Set("Content-Type", "binary/octet-stream")
	if object.ContentType != "" {
		h.Set("Content-Type", object.ContentType)
	}
	if span := r.Header.Get("Range"); span != "" {
		// The SDKs ask for one range; S3 takes no more.
		var from int
		if n, err := fmt.Sscanf(span, "bytes=%d-", &from); n != 1 || err != nil || strings.Contains(span, ",") {
			return &refusal501
		}
		if from >= len(object.Body) {
			return &refusal{http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable"}
		}
	}
	if r.Header.Get("X-Amz-Checksum-Mode") == "ENABLED" && r.Header.Get("Range") == "" {
		h.Set("X-Amz-Checksum-Crc32", checksum(object.Body))
		h.Set("X-Amz-Checksum-Type", "FULL_OBJECT")
	}
	http.ServeContent(w, r, "", object.Modified, bytes.NewReader(object.Body))
	return nil
}

// checksum is S3's form of a CRC32.
func checksum(body []byte) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)))
}

// listResult is the answer to ListObjectsV2.
type listResult struct {
	XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name                  string
	Prefix                string
	MaxKeys               int
	KeyCount              int
	IsTruncated           bool
	ContinuationToken     string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`
	Contents              []listed
}

type listed struct {
	Key          string
	LastModified string
	ETag         string
	Size         int
	StorageClass string
}

func (s *Server) list(w http.ResponseWriter, r *http.Request, bucket string) *refusal {
	query := r.URL.Query()
	for name := range query {
		if !slices.Contains([]string{"list-type", "prefix", "start-after", "continuation-token", "max-keys"}, name) {
			return &refusal501
		}
	}
	objects, ok := s.List(bucket)
	if !ok {
		return &noSuchBucket
	}
	s.mu.Lock()
	limit := s.pageSize
	s.mu.Unlock()
	if text := query.Get("max-keys"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return &refusal{http.StatusBadRequest, "InvalidArgument", "max-keys is not a whole number."}
		}
		limit = min(limit, n)
	}
	after, token := query.Get("start-after"), query.Get("continuation-token")
	if token != "" {
		last, err := base64.URLEncoding.DecodeString(token)
		if err != nil {
			return &refusal{http.StatusBadRequest, "InvalidArgument", "The continuation token provided is incorrect."}
		}
		after = string(last)
	}
	result := listResult{Name: bucket, Prefix: query.Get("prefix"), MaxKeys: limit, ContinuationToken: token}
	for _, o := range objects {
		if o.Key <= after || !strings.HasPrefix(o.Key, result.Prefix) {
			continue
		}
		if len(result.Contents) == limit {
			result.IsTruncated = limit > 0
			break
		}
		result.Contents = append(result.Contents, listed{
			Key: o.Key, LastModified: o.Modified.Format("2006-01-02T15:04:05.000Z"), ETag: o.ETag, Size: len(o.Body), StorageClass: "STANDARD",
		})
	}
	result.KeyCount = len(result.Contents)
	if result.IsTruncated {
		last := result.Contents[limit-1].Key
		result.NextContinuationToken = base64.URLEncoding.EncodeToString([]byte(last))
	}
	writeXML(w, http.StatusOK, result)
	return nil
}

// refusal is an answer that says no.
type refusal struct {
	status        int
	code, message string
}

var (
	noSuchBucket = refusal{http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist."}
	refusal501   = refusal{http.StatusNotImplemented, "NotImplemented", "The stand-in does not know this operation."}
)

func (e *refusal) write(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		w.WriteHeader(e.status)
		return
	}
	writeXML(w, e.status, struct {
		XMLName                 xml.Name `xml:"Error"`
		Code, Message, Resource string
		RequestID               string `xml:"RequestId"`
	}{Code: e.code, Message: e.message, Resource: r.URL.Path, RequestID: "S3TEST"})
}

func writeXML(w http.ResponseWriter, status int, value any) {
	text, err := xml.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("s3test: encode an answer: %v", err))
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = w.Write(append([]byte(xml.Header), text...)) // a client that is gone needs no answer
}
