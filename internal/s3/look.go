package s3

import (
	"context"
	"errors"
	"fmt"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
)

// ErrHidden says that S3 does not tell this role whether there is such a bucket, which
// takes s3:ListBucket. Writing to it may be allowed all the same.
var ErrHidden = errors.New("S3 does not tell this role about the bucket (s3:ListBucket)")

// LookForBucket makes sure that a bucket of the service's own region is there, without
// changing it: govwifi.ErrNotFound or ErrHidden otherwise.
func (s *Store) LookForBucket(ctx context.Context, bucket string) error {
	_, err := s.general.HeadBucket(ctx, &awss3.HeadBucketInput{Bucket: &bucket})
	if err == nil {
		return nil
	}
	if advice[code(err)] == adviseAccess {
		return fmt.Errorf("look for bucket %s: %w: %w", bucket, ErrHidden, err)
	}
	return fmt.Errorf("look for bucket %s: %w", bucket, explain(err))
}

// LookForMail makes sure that the mails of a bucket can be listed.
func (s *Store) LookForMail(ctx context.Context, bucket string) error {
	for _, err := range s.List(ctx, bucket, time.Time{}) {
		return err
	}
	return nil
}
