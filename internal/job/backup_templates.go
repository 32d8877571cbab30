package job

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"
)

// BackupTemplates saves the wording of all templates.
type BackupTemplates struct{ Run }

// Spec leaves an hour for each attempt.
func (BackupTemplates) Spec() Spec { return maintenanceSpec("backup-templates") }

// Key is the run.
func (j BackupTemplates) Key() string { return "backup-templates-" + j.Tick }

// BackupTemplatesHandler writes one file with all templates.
type BackupTemplatesHandler struct {
	Notify interface {
		// RawTemplates is every template as Notify gives it.
		RawTemplates(ctx context.Context) ([]json.RawMessage, error)
	}
	Objects interface {
		Objects
		// EnsureBucket creates the bucket if it is missing.
		EnsureBucket(ctx context.Context, bucket string) error
	}
	// Bucket is S3_NOTIFICATION_TEMPLATES_BUCKET; empty means no backup.
	Bucket string
	Log    *slog.Logger
	Now    func() time.Time
}

// Handle follows docs/rules.md, Periodic jobs. The file is named by the moment, not by
// the run's day: what it holds is today's wording, and a retry only adds another file.
func (h BackupTemplatesHandler) Handle(ctx context.Context, _ BackupTemplates) error {
	if h.Bucket == "" {
		h.Log.InfoContext(ctx, "templates are not backed up: S3_NOTIFICATION_TEMPLATES_BUCKET is not set")
		return nil
	}
	templates, err := h.Notify.RawTemplates(ctx)
	if err != nil {
		return fmt.Errorf("back up templates: %w", slower(err))
	}
	// An empty list, not null, where there is no template.
	body, err := json.MarshalIndent(append([]json.RawMessage{}, templates...), "", "  ")
	if err != nil {
		return fmt.Errorf("encode templates: %w", err)
	}
	if err := h.Objects.EnsureBucket(ctx, h.Bucket); err != nil {
		return fmt.Errorf("back up templates: %w", err)
	}
	key := "notify_template_" + h.Now().UTC().Format("20060102150405") + ".json"
	if err := h.Objects.Put(ctx, h.Bucket, key, body); err != nil {
		return fmt.Errorf("back up templates: %w", err)
	}
	h.Log.InfoContext(ctx, "templates were backed up", "templates", len(templates), "file", key)
	return nil
}
