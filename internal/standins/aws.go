package standins

import (
	"context"
	"net/http"

	"github.com/govwifi/user-signup/internal/outside"
	"github.com/govwifi/user-signup/internal/s3/s3test"
)

// AWSConfig is the environment of the AWS stand-in.
type AWSConfig struct {
	Admin Admin
	// S3Addr serves S3's API, MailAddr a page from which mails are sent to the
	// service: SES and SNS.
	S3Addr   string `env:"STANDIN_S3_ADDR" envDefault:":9000"`
	MailAddr string `env:"STANDIN_MAIL_ADDR" envDefault:":8000"`
	// Ingest takes SNS's messages.
	Ingest string `env:"STANDIN_INGEST_URL,required,notEmpty"`
	// IdentityDir is a folder for the key and certificate that SNS signs with, which
	// outlive the process there: the service pins the certificate.
	IdentityDir string `env:"STANDIN_SNS_DIR,required,notEmpty"`
	// Bucket and Key are where the allow-list is put, AllowList its text.
	Bucket    string `env:"S3_SIGNUP_ALLOWLIST_BUCKET,required,notEmpty"`
	Key       string `env:"S3_SIGNUP_ALLOWLIST_OBJECT_KEY,required,notEmpty"`
	AllowList string `env:"STANDIN_ALLOWLIST" envDefault:"^[A-Za-z0-9\\_\\+\\.'-]+@([a-zA-Z0-9-]+\\.)*(gov\\.uk|police\\.uk)$"`
	// Buckets are made beforehand, empty, as those of AWS are.
	Buckets []string `env:"STANDIN_BUCKETS"`
}

// AWS serves the stand-ins for S3, SES and SNS until ctx ends. They are one program
// because SES puts a mail into S3 before SNS announces it.
func AWS(ctx context.Context, c AWSConfig) error {
	p, err := newPostOffice(c)
	if err != nil {
		return err
	}
	return serve(ctx, c.Admin, site{c.S3Addr, p.s3}, site{c.MailAddr, p.handler()})
}

// postOffice is SES and SNS, and the S3 between them and the service.
type postOffice struct {
	s3    *s3test.Server
	world *outside.World
}

func newPostOffice(c AWSConfig) (postOffice, error) {
	s3 := s3test.New()
	s3.Put(c.Bucket, s3test.Object{Key: c.Key, Body: []byte(c.AllowList)})
	for _, bucket := range c.Buckets {
		s3.CreateBucket(bucket)
	}
	world, err := outside.New("", s3)
	if err != nil {
		return postOffice{}, err
	}
	world.Ingest = c.Ingest
	return postOffice{s3, world}, world.Keep(c.IdentityDir)
}

func (p postOffice) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.show)
	mux.HandleFunc("POST /mail", p.mail)
	return http.NewCrossOriginProtection().Handler(mux)
}

func (p postOffice) show(w http.ResponseWriter, r *http.Request) {
	show(w, struct {
		Title, Status string
		Texts         bool
	}{"AWS SES and SNS", r.URL.Query().Get("status"), false})
}

// mail is a person's mail, stored and announced as SES and SNS do.
func (p postOffice) mail(w http.ResponseWriter, r *http.Request) {
	to := r.FormValue("to")
	event, err := p.world.Mail(outside.PlainMail(r.FormValue("from"), to, "Sign-up", r.FormValue("text")), to, nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	deliver(w, r, p.world, event)
}
