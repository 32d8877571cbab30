package job

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// register is a table of deliveries and a list of templates that say what they are told to.
type register struct {
	changed bool
	fault   error
	stored  []govwifi.Notification
	counted []string
}

func (r *register) RecordDelivery(_ context.Context, n govwifi.Notification) (bool, error) {
	r.stored = append(r.stored, n)
	return r.changed, r.fault
}

func (r *register) TemplateName(_ context.Context, id string) (govwifi.Template, error) {
	if id == "fault" {
		return "", errors.New("Notify is away")
	}
	return map[string]govwifi.Template{"f335": govwifi.CredentialsSMS}[id], nil
}

func (r *register) handler() RecordDeliveryHandler {
	return RecordDeliveryHandler{Store: r, Templates: r, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Count: func(status string, t govwifi.Template) { r.counted = append(r.counted, status+" "+string(t)) }}
}

func TestRecordDelivery(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		template string
		changed  bool
		fault    error
		counted  []string
	}{
		"a change":             {"f335", true, nil, []string{"delivered credentials_sms"}},
		"no change":            {"f335", false, nil, nil},
		"a foreign template":   {"740e", true, nil, []string{"delivered "}},
		"no answer of Notify":  {"fault", true, nil, []string{"delivered "}},
		"the database is away": {"f335", false, errors.New("MySQL is away"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &register{changed: c.changed, fault: c.fault}
			j := RecordDelivery{NotificationID: "740e", Reference: "ref", Type: "sms", Status: "delivered", TemplateID: c.template, TemplateVersion: "3",
				CreatedAt: time.Unix(1, 0), SentAt: time.Unix(2, 0), CompletedAt: time.Unix(3, 0)}
			err := r.handler().Handle(t.Context(), j)
			if !errors.Is(err, c.fault) || IsPermanent(err) {
				t.Errorf("%v", err)
			}
			want := govwifi.Notification{ID: "740e", Reference: "ref", Type: "sms", Status: "delivered", TemplateID: c.template, TemplateVersion: "3",
				CreatedAt: time.Unix(1, 0), SentAt: time.Unix(2, 0), CompletedAt: time.Unix(3, 0)}
			if !slices.Equal(r.counted, c.counted) || !slices.Equal(r.stored, []govwifi.Notification{want}) {
				t.Errorf("counted %q, stored %+v", r.counted, r.stored)
			}
		})
	}
}

// The same receipt is one job; another status, or the same at another time, another one.
func TestRecordDeliveryKey(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 12, 0, 2, 500_000_000, time.UTC)
	j := RecordDelivery{NotificationID: "740e", Status: "delivered", CompletedAt: at}
	if key := j.Key(); key != "delivery-740e-delivered-20261122T120002.500000" {
		t.Error(key)
	}
	same := j
	same.CompletedAt = at.In(time.FixedZone("BST", 3600))
	later, failed, timeless := j, j, j
	later.CompletedAt, failed.Status, timeless.CompletedAt = at.Add(time.Microsecond), "permanent-failure", time.Time{}
	if same.Key() != j.Key() || later.Key() == j.Key() || failed.Key() == j.Key() || timeless.Key() != "delivery-740e-delivered" {
		t.Errorf("%s, %s, %s, %s", same.Key(), later.Key(), failed.Key(), timeless.Key())
	}
}
