package job

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/govwifi/user-signup/internal/govwifi"
)

func logged(log *bytes.Buffer) []string { return strings.Split(strings.TrimSpace(log.String()), "\n") }

// logTo gives a logger without times, and what it wrote.
func logTo() (*slog.Logger, *bytes.Buffer) {
	var out bytes.Buffer
	drop := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	return slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: drop})), &out
}

// figures are those of docs/facts.md, F2.
type figures struct{ asked []string }

func (f *figures) Statistics(_ context.Context, p govwifi.Period, day time.Time) (govwifi.Volumetrics, govwifi.CompletionRate, error) {
	f.asked = append(f.asked, day.Format(time.DateOnly))
	return govwifi.Volumetrics{Period: p, MetricName: govwifi.VolumetricsMetric, PeriodBefore: 12, Cumulative: 24, SMSPeriodBefore: 2,
			SMSCumulative: 3, EmailPeriodBefore: 10, EmailCumulative: 21, SponsoredPeriodBefore: 7, SponsoredCumulative: 9},
		govwifi.CompletionRate{Period: p, MetricName: govwifi.CompletionRateMetric, SMSRegistered: 4, SMSLoggedIn: 2, EmailRegistered: 2,
			EmailLoggedIn: 1, SponsorRegistered: 2, SponsorLoggedIn: 1}, nil
}

// bucket keeps objects by bucket and key.
type bucket struct {
	objects map[string]string
	made    []string
	err     error
}

func (b *bucket) Put(_ context.Context, name, key string, body []byte) error {
	if b.err != nil {
		return b.err
	}
	if b.objects == nil {
		b.objects = map[string]string{}
	}
	b.objects[name+" "+key] = string(body)
	return nil
}

func (b *bucket) EnsureBucket(_ context.Context, name string) error {
	b.made = append(b.made, name)
	return nil
}

// platform is the Performance Platform.
type platform struct {
	off  bool
	sent []string
	err  error
}

func (p *platform) Configured() bool { return !p.off }

func (p *platform) SendVolumetrics(_ context.Context, day time.Time, v govwifi.Volumetrics) error {
	p.sent = append(p.sent, fmt.Sprintf("volumetrics %s %s %d", v.Period, day.Format(time.DateOnly), v.Cumulative))
	return p.err
}

func (p *platform) SendCompletionRate(_ context.Context, day time.Time, c govwifi.CompletionRate) error {
	p.sent = append(p.sent, fmt.Sprintf("completion %s %s %d", c.Period, day.Format(time.DateOnly), c.SMSRegistered))
	return p.err
}

func september(p Period) PublishStatistics {
	return PublishStatistics{Run{Date: "2020-09-24", Tick: "t"}, p}
}

// The worked examples of docs/facts.md, F2, byte for byte.
func TestPublishStatistics(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		period Period
		golden string
		sent   []string
	}{
		{Day, "volumetrics-day-2020-09-24", []string{"volumetrics day 2020-09-24 24", "completion day 2020-09-24 4"}},
		{Week, "completion_rate-week-2020-09-24", []string{"completion week 2020-09-24 4"}},
		{Month, "", []string{"volumetrics month 2020-09-24 24", "completion month 2020-09-24 4"}},
	} {
		objects, p := &bucket{}, &platform{}
		h := PublishStatisticsHandler{Statistics: &figures{}, Objects: objects, Bucket: "metrics", Platform: p, Log: quiet()}
		if err := h.Handle(t.Context(), september(c.period)); err != nil {
			t.Errorf("%s: %v", c.period, err)
		}
		for _, metric := range []string{"volumetrics", "completion_rate"} {
			name := fmt.Sprintf("%s-%s-2020-09-24", metric, c.period)
			body, stored := objects.objects["metrics "+metric+"/"+name]
			if !stored {
				t.Errorf("%s is not stored: %v", name, objects.objects)
			}
			if name != c.golden {
				continue
			}
			want, err := os.ReadFile(filepath.Join("testdata", "statistics", name))
			if err != nil || body != string(want) {
				t.Errorf("%s is %s, %v, want %s", name, body, err, want)
			}
		}
		if diff := cmp.Diff(c.sent, p.sent); diff != "" {
			t.Errorf("%s: %s", c.period, diff)
		}
	}
}

func TestPublishStatisticsTrouble(t *testing.T) {
	t.Parallel()
	// A destination that fails keeps nothing from the other; the first metric that
	// fails keeps the second.
	objects, p := &bucket{err: errors.New("S3 is away")}, &platform{err: errors.New("503 - away")}
	h := PublishStatisticsHandler{Statistics: &figures{}, Objects: objects, Bucket: "metrics", Platform: p, Log: quiet()}
	err := h.Handle(t.Context(), september(Day))
	if err == nil || IsPermanent(err) || !strings.Contains(err.Error(), "S3 is away") || !strings.Contains(err.Error(), "503") {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"volumetrics day 2020-09-24 24"}, p.sent); diff != "" {
		t.Error(diff)
	}
	for _, j := range []PublishStatistics{{Run{Date: "2020-09-24"}, "year"}, {Run{Date: "24.9.2020"}, Day}, {Run{Date: "2023-02-29"}, Day}} {
		if err := h.Handle(t.Context(), j); !IsPermanent(err) {
			t.Errorf("%+v: %v", j, err)
		}
	}
}

func TestPublishStatisticsNotConfigured(t *testing.T) {
	t.Parallel()
	s3 := `level=INFO msg="statistics are not stored in S3: S3_METRICS_BUCKET is not set"`
	pp := `level=INFO msg="statistics are not sent to the Performance Platform: PERFORMANCE_URL is not set"`
	for _, c := range []struct {
		bucket string
		off    bool
		log    []string
		counts int
	}{{"", true, []string{s3, pp}, 0}, {"metrics", true, []string{pp}, 1}, {"", false, []string{s3}, 1}} {
		log, out := logTo()
		f, objects, p := &figures{}, &bucket{}, &platform{off: c.off}
		h := PublishStatisticsHandler{Statistics: f, Objects: objects, Bucket: c.bucket, Platform: p, Log: log}
		if err := h.Handle(t.Context(), september(Day)); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(c.log, logged(out)); diff != "" {
			t.Error(diff)
		}
		if len(f.asked) != c.counts || (len(objects.objects) > 0) != (c.bucket != "") || (len(p.sent) > 0) == c.off {
			t.Errorf("%+v: asked %v, stored %v, sent %v", c, f.asked, objects.objects, p.sent)
		}
	}
}

// forgetter notes from when on people are forgotten.
type forgetter struct {
	calls []string
	fail  string
}

func (f *forgetter) note(step string, before time.Time) (int, error) {
	f.calls = append(f.calls, strings.TrimSpace(step+" "+before.Format(time.DateTime)))
	if f.fail == step {
		return 1, errors.New("the database is away")
	}
	return len(f.calls), nil
}

func (f *forgetter) DeleteInactive(_ context.Context, b time.Time) (int, error) {
	return f.note("users", b)
}
func (f *forgetter) DeleteInactiveGuests(_ context.Context, b time.Time) (int, error) {
	return f.note("guests", b)
}
func (f *forgetter) ObfuscateSponsors(context.Context) (int, error) {
	return f.note("sponsors", time.Time{})
}
func (f *forgetter) Purge(_ context.Context, b time.Time) (int, error) { return f.note("archive", b) }

func TestDeleteInactiveUsers(t *testing.T) {
	t.Parallel()
	none := "sponsors 0001-01-01 00:00:00"
	for _, c := range []struct {
		date         string
		months, days int
		calls        []string
	}{
		{"2026-11-22", 12, 90, []string{"users 2025-11-22 00:00:00", "guests 2026-08-24 00:00:00", none, "archive 2026-11-08 00:00:00"}},
		{"2024-02-29", 12, 90, []string{"users 2023-02-28 00:00:00", "guests 2023-12-01 00:00:00", none, "archive 2024-02-15 00:00:00"}},
		{"2025-03-31", 1, 1, []string{"users 2025-02-28 00:00:00", "guests 2025-03-30 00:00:00", none, "archive 2025-03-17 00:00:00"}},
	} {
		f := &forgetter{}
		log, out := logTo()
		h := DeleteInactiveUsersHandler{Users: f, Archive: f, Months: c.months, GuestDays: c.days, Log: log}
		if err := h.Handle(t.Context(), DeleteInactiveUsers{Run{Date: c.date}}); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(c.calls, f.calls); diff != "" {
			t.Errorf("%s: %s", c.date, diff)
		}
		want := `level=INFO msg="inactive users were deleted" users=1 guests=2 sponsors_obfuscated=3 archived_jobs=4 date=` + c.date + " finished=true\n"
		if out.String() != want {
			t.Errorf("log is %s want %s", out, want)
		}
	}
}

func TestDeleteInactiveUsersTrouble(t *testing.T) {
	t.Parallel()
	f := &forgetter{fail: "guests"}
	log, out := logTo()
	h := DeleteInactiveUsersHandler{Users: f, Archive: f, Months: 12, GuestDays: 90, Log: log}
	j := DeleteInactiveUsers{Run{Date: "2026-11-22"}}
	if err := h.Handle(t.Context(), j); err == nil || IsPermanent(err) || len(f.calls) != 2 {
		t.Errorf("%v after %v", err, f.calls)
	}
	if !strings.Contains(out.String(), "users=1 guests=1 date=2026-11-22 finished=false") {
		t.Errorf("log is %s", out)
	}
	for _, bad := range []DeleteInactiveUsersHandler{{Users: f, Archive: f, GuestDays: 90, Log: log}, {Users: f, Archive: f, Months: 12, Log: log}} {
		f.calls = nil
		if err := bad.Handle(t.Context(), j); !IsPermanent(err) || len(f.calls) > 0 {
			t.Errorf("everybody would be deleted: %v, %v", err, f.calls)
		}
	}
}

// wordings is Notify's templates.
type wordings []json.RawMessage

func (w wordings) RawTemplates(context.Context) ([]json.RawMessage, error) { return w, nil }

func TestBackupTemplates(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 6, 10, 7, 0, time.FixedZone("", 3600))
	for name, c := range map[string]struct {
		templates wordings
		want      string
	}{
		"two":  {wordings{json.RawMessage(`{"id":"1","body":"Hi <b>"}`), json.RawMessage(`{"id":"2"}`)}, `[{"id":"1","body":"Hi <b>"},{"id":"2"}]`},
		"none": {nil, `[]`},
	} {
		objects := &bucket{}
		h := BackupTemplatesHandler{Notify: c.templates, Objects: objects, Bucket: "backups", Log: quiet(), Now: func() time.Time { return at }}
		if err := h.Handle(t.Context(), BackupTemplates{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var want, got any
		body := objects.objects["backups notify_template_20261122051007.json"]
		if err := errors.Join(json.Unmarshal([]byte(c.want), &want), json.Unmarshal([]byte(body), &got)); err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("%s: stored %v, %v", name, objects.objects, err)
		}
		if len(objects.made) != 1 || objects.made[0] != "backups" {
			t.Errorf("buckets made: %v", objects.made)
		}
	}
	log, out := logTo()
	objects := &bucket{}
	if err := (BackupTemplatesHandler{Objects: objects, Log: log}).Handle(t.Context(), BackupTemplates{}); err != nil || len(objects.made) > 0 {
		t.Errorf("not configured: %v, %v", err, objects.made)
	}
	if want := `level=INFO msg="templates are not backed up: S3_NOTIFICATION_TEMPLATES_BUCKET is not set"` + "\n"; out.String() != want {
		t.Errorf("log is %s", out)
	}
}

// record is Notify's list, newest first, in pages of two, and our copy of it.
type record struct {
	list    []govwifi.Notification
	stored  map[string]govwifi.Notification
	asked   []string
	settled time.Time
	reached time.Time
	// failAt is the page, from 1, at which the database goes away.
	failAt int
}

func (r *record) NotificationPage(_ context.Context, olderThan string) ([]govwifi.Notification, error) {
	r.asked = append(r.asked, olderThan)
	from := 0
	for i, n := range r.list {
		if n.ID == olderThan {
			from = i + 1
		}
	}
	return append([]govwifi.Notification{}, r.list[from:min(from+2, len(r.list))]...), nil
}

func (r *record) SettledBefore(context.Context) (time.Time, error) { return r.settled, nil }

func (r *record) UpsertNotifications(_ context.Context, page []govwifi.Notification) error {
	if r.failAt == len(r.asked) {
		return errors.New("the database is away")
	}
	for _, n := range page {
		if r.stored == nil {
			r.stored = map[string]govwifi.Notification{}
		}
		r.stored[n.ID] = n
	}
	return nil
}

func (r *record) NoteCopied(_ context.Context, upTo time.Time) error {
	r.reached, r.settled = upTo, upTo
	return nil
}

func TestCopyNotifications(t *testing.T) {
	t.Parallel()
	r := &record{failAt: 2}
	for i := range 7 {
		r.list = append(r.list, govwifi.Notification{ID: strconv.Itoa(7 - i), CreatedAt: now.AddDate(0, 0, -i), Body: "Password: OneTwoThree", Subject: "FourFiveSix"})
	}
	h := CopyNotificationsHandler{Notify: r, Store: r, Log: quiet()}
	// Killed behind the first page: the next run does not take that page for the end.
	if err := h.Handle(t.Context(), CopyNotifications{}); err == nil || !r.reached.IsZero() || len(r.stored) != 2 {
		t.Errorf("%v, reached %s, stored %d", err, r.reached, len(r.stored))
	}
	r.failAt, r.asked = 0, nil
	if err := h.Handle(t.Context(), CopyNotifications{}); err != nil {
		t.Fatal(err)
	}
	// To an empty page, not to one that is merely short.
	if diff := cmp.Diff([]string{"", "6", "4", "2", "1"}, r.asked); diff != "" || len(r.stored) != 7 || !r.reached.Equal(now) {
		t.Errorf("asked %s, stored %d, reached %s", diff, len(r.stored), r.reached)
	}
	for id, n := range r.stored {
		if n.Body != "Password: [hidden]" || n.Subject != "[hidden]" {
			t.Errorf("%s is stored as %q, %q", id, n.Subject, n.Body)
		}
	}
	// The next day: one new page, and back to the last run's first.
	r.asked = nil
	r.list = append([]govwifi.Notification{{ID: "8", CreatedAt: now.AddDate(0, 0, 1)}}, r.list...)
	if err := h.Handle(t.Context(), CopyNotifications{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"", "7"}, r.asked); diff != "" || len(r.stored) != 8 {
		t.Errorf("asked %s, stored %d", diff, len(r.stored))
	}
	// One of three days ago is still open: back to there.
	r.asked, r.settled = nil, now.AddDate(0, 0, -3)
	if err := h.Handle(t.Context(), CopyNotifications{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"", "7", "5"}, r.asked); diff != "" {
		t.Errorf("asked %s", diff)
	}
	empty := &record{}
	if err := (CopyNotificationsHandler{Notify: empty, Store: empty, Log: quiet()}).Handle(t.Context(), CopyNotifications{}); err != nil || !empty.reached.IsZero() {
		t.Errorf("no notifications: %v, reached %s", err, empty.reached)
	}
}

// The wire format and the keys of planned messages; who they are for is in neither.
func TestPlannedJobs(t *testing.T) {
	t.Parallel()
	p := Planned{"MFRGGZDFMZTWQ2LKNRWW433QOE"}
	for _, j := range []Job{ExpiryWarning{p}, SurveyInvitation{p}, FollowupMessage{p}} {
		name := j.Spec().Name
		got, err := json.MarshalIndent(j, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join("testdata", name+".json"))
		if err != nil || string(got)+"\n" != string(want) {
			t.Errorf("%s is %s, want %s, %v", name, got, want, err)
		}
		if j.Key() != name+"-"+p.MessageID || j.Spec().Queue != Maintenance || !j.WasRecovered() {
			t.Errorf("%s: key %s, spec %+v, recovered %v", name, j.Key(), j.Spec(), j.WasRecovered())
		}
	}
}
