package s3

import (
	"errors"
	"fmt"
	"net/http"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// What an operator can do about an answer of S3.
const (
	// adviseAccess names the missing object too: S3 hides from a role that may not
	// list a bucket whether an object exists, and GovWifi's roles may not.
	adviseAccess = "access denied: allow the worker's role this action on the bucket and its objects" +
		" (S3 also says this of a missing object to a role without s3:ListBucket)"
	adviseCredentials = "the AWS credentials are not accepted: renew them, or give the task its role again"
	adviseRegion      = "the bucket is in another region: correct AWS_REGION or, for mail, S3_MAIL_REGION"
	adviseClock       = "this machine's clock is wrong: set it"
)

// advice is by S3's error code. HEAD requests have no body to carry one, so the SDK
// makes some up from the status.
var advice = map[string]string{
	"AccessDenied":                       adviseAccess,
	"AllAccessDisabled":                  adviseAccess,
	"Forbidden":                          adviseAccess,
	"ExpiredToken":                       adviseCredentials,
	"InvalidAccessKeyId":                 adviseCredentials,
	"InvalidToken":                       adviseCredentials,
	"SignatureDoesNotMatch":              adviseCredentials,
	"TokenRefreshRequired":               adviseCredentials,
	"AuthorizationHeaderMalformed":       adviseRegion,
	"IllegalLocationConstraintException": adviseRegion,
	"MovedPermanently":                   adviseRegion,
	"PermanentRedirect":                  adviseRegion,
	"RequestTimeTooSkewed":               adviseClock,
}

// explain puts before an SDK error what it means: govwifi.ErrNotFound, or advice. The
// SDK's text is kept, for it has the request id that AWS asks for.
func explain(err error) error {
	if isNotFound(err) {
		return fmt.Errorf("%w: %w", govwifi.ErrNotFound, err)
	}
	if text, ok := advice[code(err)]; ok {
		return fmt.Errorf("%s: %w", text, err)
	}
	return err
}

// isNotFound goes by S3's own codes and not by the status alone: the 404 of a proxy
// or of a wrong endpoint must not pass for a mail that is gone.
func isNotFound(err error) bool {
	switch code(err) {
	case "NoSuchKey", "NoSuchBucket", "NotFound":
		return true
	}
	return false
}

// isNotModified recognises the answer to If-None-Match, which the SDK takes for an error.
func isNotModified(err error) bool {
	var response *awshttp.ResponseError
	return errors.As(err, &response) && response.HTTPStatusCode() == http.StatusNotModified
}

// code is S3's error code, empty where the error is no answer of S3.
func code(err error) string {
	var answer smithy.APIError
	if !errors.As(err, &answer) {
		return ""
	}
	return answer.ErrorCode()
}
