// Package s3 reaches the service's objects in AWS S3: incoming mail, the sign-up
// allow-list, statistics and template backups. Mail lies in the region in which SES
// receives it, everything else in the service's own (docs/facts.md, C6, C7 and F2).
package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/logging"
)

// DefaultMailRegion is where GovWifi's SES receives mail.
const DefaultMailRegion = "eu-west-1"

// MaxMail is how much of a mail is read, in bytes. SES takes no mail above 40 MB, so
// only an object that something else put there is longer.
const MaxMail = 40 << 20

// maxHead is how much of a mail is read for its headers, in bytes. Servers on a mail's way
// commonly bear far less.
const maxHead = 64 << 10

// writeTimeout bounds storing an object or creating a bucket, retries included. The
// largest, a template backup, is under 1 MB.
const writeTimeout = time.Minute

// Config says where the buckets are. All of it may be empty.
type Config struct {
	// Region holds every bucket but the mail's; empty means as the AWS SDK finds
	// it (AWS_REGION, then its configuration file).
	Region string
	// MailRegion holds the mail bucket; empty means DefaultMailRegion.
	MailRegion string
	// UsePathStyle puts the bucket into the path instead of the host name. S3 itself
	// needs it false; most stand-ins have no host name for each bucket.
	UsePathStyle bool
	// Endpoint is the URL that takes every request instead of AWS's; empty means as
	// the SDK finds it (AWS_ENDPOINT_URL_S3).
	Endpoint string
	// AccessKeyID and SecretAccessKey are for stand-ins; empty means as the SDK
	// finds them, which in production is the task's role.
	AccessKeyID, SecretAccessKey string
}

// Store reads and writes objects. It is safe for any number of goroutines.
type Store struct {
	general, mail *awss3.Client
	// region is where EnsureBucket creates.
	region string
}

// Open reads the SDK's configuration; it makes no request to S3. It fails where no
// region is configured.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(newHTTPClient()),
		config.WithRetryer(newRetryer),
		// The SDK would write to stderr itself, past our masking.
		config.WithLogger(logging.Nop{}),
	}
	if cfg.Region != "" {
		options = append(options, config.WithRegion(cfg.Region))
	}
	if cfg.AccessKeyID != "" {
		options = append(options, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(cfg.AccessKeyID, cfg.SecretAccessKey, "")))
	}
	sdk, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("read the AWS configuration: %w", err)
	}
	if sdk.Region == "" {
		return nil, errors.New("read the AWS configuration: no region is set; set AWS_REGION")
	}
	if cfg.MailRegion == "" {
		cfg.MailRegion = DefaultMailRegion
	}
	return &Store{
		general: newClient(sdk, cfg, sdk.Region),
		mail:    newClient(sdk, cfg, cfg.MailRegion),
		region:  sdk.Region,
	}, nil
}

func newClient(sdk aws.Config, cfg Config, region string) *awss3.Client {
	return awss3.NewFromConfig(sdk, func(o *awss3.Options) {
		o.Region = region
		o.UsePathStyle = cfg.UsePathStyle
		if cfg.Endpoint != "" {
			o.BaseEndpoint = aws.String(cfg.Endpoint)
		}
		o.HTTPClient = limitedClient{o.HTTPClient}
		o.Credentials = advisedCredentials{o.Credentials}
	})
}

// Fetch opens a stored mail for reading; the caller closes it. The mail is streamed,
// ends after MaxMail bytes, and must be read before ctx ends. govwifi.ErrNotFound if
// there is none: SES's bucket drops mail after 30 days. Every error of the reader
// other than io.EOF means that the mail was cut off, not that it ends there.
func (s *Store) Fetch(ctx context.Context, bucket, object string) (io.ReadCloser, error) {
	answer, err := s.mail.GetObject(ctx, &awss3.GetObjectInput{Bucket: &bucket, Key: &object})
	if err != nil {
		return nil, fmt.Errorf("fetch %s from bucket %s: %w", object, bucket, explain(err))
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(answer.Body, MaxMail), answer.Body}, nil
}

// Head reads the first bytes of a stored mail, as many as maxHead, which is the whole of a
// shorter one. Errors are those of Fetch.
func (s *Store) Head(ctx context.Context, bucket, object string) ([]byte, error) {
	span := fmt.Sprintf("bytes=0-%d", maxHead-1)
	answer, err := s.mail.GetObject(ctx, &awss3.GetObjectInput{Bucket: &bucket, Key: &object, Range: &span})
	if code(err) == "InvalidRange" {
		return nil, nil // an empty object has no first byte
	}
	if err != nil {
		return nil, fmt.Errorf("read the head of %s in bucket %s: %w", object, bucket, explain(err))
	}
	defer func() { _ = answer.Body.Close() }() // it has been read
	// A server that ignores ranges sends the whole mail.
	head, err := io.ReadAll(io.LimitReader(answer.Body, maxHead))
	if err != nil {
		return nil, fmt.Errorf("read the head of %s in bucket %s: %w", object, bucket, err)
	}
	return head, nil
}

// Put stores an object, in the place of one that has the same key.
// govwifi.ErrNotFound if there is no such bucket.
func (s *Store) Put(ctx context.Context, bucket, key string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	_, err := s.general.PutObject(ctx, &awss3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(body)})
	if err != nil {
		return fmt.Errorf("store %s in bucket %s: %w", key, bucket, explain(err))
	}
	return nil
}

// EnsureBucket creates the bucket if it is missing. It looks first, so that a role
// that may not create buckets is enough for one that exists. A new bucket is private:
// S3's default since 2023.
func (s *Store) EnsureBucket(ctx context.Context, bucket string) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	_, err := s.general.HeadBucket(ctx, &awss3.HeadBucketInput{Bucket: &bucket})
	if err == nil {
		return nil
	}
	if !isNotFound(err) {
		return fmt.Errorf("look for bucket %s: %w", bucket, explain(err))
	}
	_, err = s.general.CreateBucket(ctx, &awss3.CreateBucketInput{Bucket: &bucket, CreateBucketConfiguration: location(s.region)})
	// Another worker may have been quicker.
	var ours *types.BucketAlreadyOwnedByYou
	if err != nil && !errors.As(err, &ours) {
		return fmt.Errorf("create bucket %s: %w", bucket, explain(err))
	}
	return nil
}

// location names the region of a new bucket; S3 refuses to be told its first one.
func location(region string) *types.CreateBucketConfiguration {
	if region == "us-east-1" {
		return nil
	}
	return &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(region)}
}

// Object is a stored mail as List finds it.
type Object struct {
	Key string
	// Modified is when it was stored, in UTC and whole seconds.
	Modified time.Time
}

// List yields the mails stored at or after the given time, in the order of their keys.
// S3 cannot list by time, so it reads the names of the whole bucket, 1,000 at a
// request. An error ends it; govwifi.ErrNotFound if there is no such bucket.
func (s *Store) List(ctx context.Context, bucket string, since time.Time) iter.Seq2[Object, error] {
	// S3 drops fractions of a second: 12:00:00.9 is listed as 12:00:00.
	since = since.Truncate(time.Second)
	return func(yield func(Object, error) bool) {
		pages := awss3.NewListObjectsV2Paginator(s.mail, &awss3.ListObjectsV2Input{Bucket: &bucket})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(Object{}, fmt.Errorf("list bucket %s: %w", bucket, explain(err)))
				return
			}
			for _, item := range page.Contents {
				modified := aws.ToTime(item.LastModified).UTC()
				if modified.Before(since) {
					continue
				}
				if !yield(Object{Key: aws.ToString(item.Key), Modified: modified}, nil) {
					return
				}
			}
		}
	}
}
