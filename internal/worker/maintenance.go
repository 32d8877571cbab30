package worker

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/notify"
	"github.com/govwifi/user-signup/internal/queue"
)

// maintenance registers the handlers of the periodic jobs and of the messages that they
// plan.
func (c Config) maintenance(w *queue.Worker, p *parts, once job.Once, log *slog.Logger) {
	records := notifyRecords{p.notify}
	queue.Handle(w, job.PublishStatisticsHandler{Statistics: p.db, Objects: p.store, Bucket: c.S3.MetricsBucket, Platform: p.platform, Log: log}.Handle)
	queue.Handle(w, job.DeleteInactiveUsersHandler{Users: p.db, Archive: p.jobs.Archive(), Months: int(c.InactiveMonths), GuestDays: int(c.SponsoredInactiveDays), Log: log}.Handle)
	queue.Handle(w, job.CopyNotificationsHandler{Notify: records, Store: p.db, Log: log}.Handle)
	queue.Handle(w, job.BackupTemplatesHandler{Notify: records, Objects: p.store, Bucket: c.S3.TemplatesBucket, Log: log, Now: time.Now}.Handle)
	planner := job.Planner{Pending: p.db, Jobs: p.jobs, Log: log}
	queue.Handle(w, job.WarnInactiveUsersHandler{Audience: p.db, Planner: planner}.Handle)
	queue.Handle(w, job.SendSurveysHandler{Audience: p.db, Planner: planner}.Handle)
	queue.Handle(w, job.SendFollowupsHandler{Audience: p.db, Planner: planner}.Handle)
	sender := job.PlannedSender{Plans: p.db, Messages: once, Log: log}
	queue.Handle(w, job.ExpiryWarningHandler{PlannedSender: sender}.Handle)
	queue.Handle(w, job.SurveyInvitationHandler{PlannedSender: sender}.Handle)
	queue.Handle(w, job.FollowupMessageHandler{PlannedSender: sender}.Handle)
}

// notifyRecords is what Notify has, in the domain's words.
type notifyRecords struct{ *notify.Client }

// NotificationPage is a page of sent messages, newest first.
func (n notifyRecords) NotificationPage(ctx context.Context, olderThan string) ([]govwifi.Notification, error) {
	page, err := n.ListNotifications(ctx, notify.Query{OlderThan: olderThan})
	if err != nil {
		return nil, err
	}
	all := make([]govwifi.Notification, len(page))
	for i, m := range page {
		all[i] = govwifi.Notification{ID: m.ID, Reference: m.Reference, EmailAddress: m.EmailAddress, PhoneNumber: m.PhoneNumber,
			Type: m.Type, Status: m.Status, TemplateVersion: strconv.Itoa(m.Template.Version), TemplateID: m.Template.ID,
			TemplateURI: m.Template.URI, Body: m.Body, Subject: m.Subject, CreatedAt: m.CreatedAt, SentAt: m.SentAt, CompletedAt: m.CompletedAt}
	}
	return all, nil
}

// RawTemplates is every template as Notify gives it.
func (n notifyRecords) RawTemplates(ctx context.Context) ([]json.RawMessage, error) {
	templates, err := n.Templates(ctx)
	if err != nil {
		return nil, err
	}
	raw := make([]json.RawMessage, len(templates))
	for i, t := range templates {
		raw[i] = t.Raw
	}
	return raw, nil
}
