package s3

import (
	"errors"
	"net/http"
	"testing"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/s3/s3test"
)

func TestLookForBucket(t *testing.T) {
	t.Parallel()
	store, server := setup(t)
	server.CreateBucket("metrics")
	if err := store.LookForBucket(t.Context(), "metrics"); err != nil {
		t.Error(err)
	}
	if err := store.LookForBucket(t.Context(), "other"); !errors.Is(err, govwifi.ErrNotFound) {
		t.Errorf("a missing bucket: %v", err)
	}
	server.Break(s3test.Fault{Status: http.StatusForbidden, Code: "AccessDenied"})
	if err := store.LookForBucket(t.Context(), "metrics"); !errors.Is(err, ErrHidden) {
		t.Errorf("a hidden bucket: %v", err)
	}
}

func TestLookForMail(t *testing.T) {
	t.Parallel()
	store, server := setup(t)
	server.CreateBucket("mail")
	if err := store.LookForMail(t.Context(), "mail"); err != nil {
		t.Error(err)
	}
	server.Put("mail", s3test.Object{Key: "a"})
	if err := store.LookForMail(t.Context(), "mail"); err != nil {
		t.Error(err)
	}
	if err := store.LookForMail(t.Context(), "other"); !errors.Is(err, govwifi.ErrNotFound) {
		t.Errorf("a missing bucket: %v", err)
	}
	server.Break(s3test.Fault{Status: http.StatusForbidden, Code: "AccessDenied"})
	if err := store.LookForMail(t.Context(), "mail"); err == nil {
		t.Error("a bucket that may not be listed passes")
	}
}
