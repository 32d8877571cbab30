package s3test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxBody is the longest object the stand-in takes, in bytes.
const maxBody = 64 << 20

// maxSkew is how far S3 lets a client's clock be off.
const maxSkew = 15 * time.Minute

// authorization is what the SDKs send; S3 also takes a signature in the query.
var authorization = regexp.MustCompile(
	`^AWS4-HMAC-SHA256 Credential=([^/, ]+)/(\d{8})/([a-z0-9-]+)/s3/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=[0-9a-f]{64}$`)

// checkSignature refuses what is not signed as AWS's Signature Version 4 asks. It does
// not compute the signature: it has no secret to compare.
func checkSignature(r *http.Request) *refusal {
	header := r.Header.Get("Authorization")
	if header == "" {
		return &refusal{http.StatusForbidden, "AccessDenied", "Access Denied"}
	}
	parts := authorization.FindStringSubmatch(header)
	date := r.Header.Get("X-Amz-Date")
	if parts == nil || !strings.HasPrefix(date, parts[2]) {
		return &refusal{http.StatusBadRequest, "AuthorizationHeaderMalformed", "The authorization header is malformed."}
	}
	at, err := time.Parse("20060102T150405Z", date)
	if err != nil {
		return &refusal{http.StatusForbidden, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header"}
	}
	if time.Since(at).Abs() > maxSkew {
		return &refusal{http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."}
	}
	if r.Header.Get("X-Amz-Content-Sha256") == "" {
		return &refusal{http.StatusBadRequest, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256"}
	}
	signed := strings.Split(parts[4], ";")
	mustSign := []string{"host"}
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") {
			mustSign = append(mustSign, name)
		}
	}
	for _, name := range mustSign {
		if !slices.Contains(signed, name) {
			return &refusal{http.StatusForbidden, "AccessDenied", "There were headers present in the request which were not signed: " + name}
		}
	}
	return nil
}

// readBody reads the body so that it can be read again.
func readBody(r *http.Request) (io.ReadCloser, *refusal) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return nil, &refusal{http.StatusBadRequest, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size"}
	case err != nil:
		return nil, &refusal{http.StatusBadRequest, "IncompleteBody", "The request body terminated unexpectedly"}
	}
	return io.NopCloser(bytes.NewReader(body)), nil
}

// takeBody reads the body, out of its aws-chunked coding if it has one, and compares
// it with the checksums that came with it.
func takeBody(r *http.Request) ([]byte, *refusal) {
	if r.ContentLength < 0 {
		return nil, &refusal{http.StatusLengthRequired, "MissingContentLength", "You must provide the Content-Length HTTP header."}
	}
	reader, no := readBody(r)
	if no != nil {
		return nil, no
	}
	sums := r.Header
	digest := r.Header.Get("X-Amz-Content-Sha256")
	body, err := io.ReadAll(reader)
	if err == nil && strings.HasPrefix(digest, "STREAMING-") {
		body, sums, err = decodeChunks(body)
		if err == nil && r.Header.Get("X-Amz-Decoded-Content-Length") != strconv.Itoa(len(body)) {
			err = errors.New("x-amz-decoded-content-length is wrong")
		}
	}
	if err != nil {
		return nil, &refusal{http.StatusBadRequest, "IncompleteBody", err.Error()}
	}
	sum := sha256.Sum256(body)
	isDigest := !strings.HasPrefix(digest, "STREAMING-") && digest != "UNSIGNED-PAYLOAD"
	if isDigest && digest != hex.EncodeToString(sum[:]) {
		return nil, &refusal{http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed."}
	}
	if given := sums.Get("X-Amz-Checksum-Crc32"); given != "" && given != checksum(body) {
		return nil, &refusal{http.StatusBadRequest, "BadDigest", "The CRC32 you specified did not match what we received."}
	}
	if name := r.Header.Get("X-Amz-Trailer"); name != "" && sums.Get(name) == "" {
		return nil, &refusal{http.StatusBadRequest, "MalformedTrailerError", "The request contained trailing data that was not well-formed."}
	}
	return body, nil
}

// decodeChunks undoes aws-chunked: chunks of "size[;chunk-signature=…] CR LF data CR LF",
// the last of size 0, then trailers as HTTP headers.
func decodeChunks(coded []byte) ([]byte, http.Header, error) {
	var body []byte
	in := bufio.NewReader(bytes.NewReader(coded))
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, nil, fmt.Errorf("read the size of a chunk: %w", err)
		}
		digits, _, _ := strings.Cut(strings.TrimSuffix(line, "\r\n"), ";")
		size, err := strconv.ParseUint(digits, 16, 31)
		if err != nil {
			return nil, nil, fmt.Errorf("read the size of a chunk: %w", err)
		}
		if size == 0 {
			break
		}
		chunk := make([]byte, min(int(size), len(coded))+len("\r\n"))
		if _, err := io.ReadFull(in, chunk); err != nil || !bytes.HasSuffix(chunk, []byte("\r\n")) {
			return nil, nil, errors.New("a chunk is not as long as it says")
		}
		body = append(body, bytes.TrimSuffix(chunk, []byte("\r\n"))...)
	}
	trailers := http.Header{}
	for {
		line, err := in.ReadString('\n')
		name, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if ok {
			trailers.Set(name, strings.TrimSpace(value))
		}
		if err != nil || !ok {
			return body, trailers, nil
		}
	}
}
