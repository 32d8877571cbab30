package worker

import (
	"context"
	"os"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/mysql"
	"github.com/govwifi/user-signup/internal/telemetry"
)

// MigrateConfig is what `worker migrate` needs of the environment.
type MigrateConfig struct {
	Log      telemetry.LogConfig
	Database Database
}

// Check finds what the driver would refuse.
func (c MigrateConfig) Check() []string { return c.Database.faults() }

// Migrate brings the schema up to date. It may run twice, at once, and on GovWifi's
// existing database.
func Migrate(ctx context.Context, c MigrateConfig) error {
	log := c.Log.NewLogger(os.Stderr)
	db, err := mysql.Open(ctx, c.Database.config(govwifi.Words{}))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	log.Info("the schema is up to date")
	return nil
}
