package s3

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// endless answers every request with the given status and a body without end.
type endless int

func (e endless) Do(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: int(e), Body: io.NopCloser(zeroes{})}, nil
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) { return len(p), nil }

// Something that is not S3 may answer without end, and the SDK reads all but objects
// into memory.
func TestLimitedClient(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		status  int
		target  string
		limited bool
	}{
		{"list", 200, "/mail?list-type=2&continuation-token=x", true},
		{"error", 403, "/mail/key?x-id=GetObject", true},
		{"object", 200, "/mail/key?x-id=GetObject", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			response, err := limitedClient{endless(tt.status)}.Do(httptest.NewRequest(http.MethodGet, tt.target, nil))
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.CopyN(io.Discard, response.Body, MaxMail)
			var tooLong *http.MaxBytesError
			if limited := errors.As(err, &tooLong); limited != tt.limited || (limited && n != maxXML) {
				t.Errorf("read %d bytes, %v", n, err)
			}
		})
	}
}
