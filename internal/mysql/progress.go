package mysql

import (
	"context"
	"database/sql"
	"time"
)

// reached is how far a job that goes on day after day has come; zero if it never ended.
func (d *DB) reached(ctx context.Context, job string) (time.Time, error) {
	var reached sql.NullTime
	// MAX of no row is NULL, not no row.
	err := d.row(ctx, "SELECT MAX(reached) FROM user_signup_progress WHERE job = ?", []any{job}, &reached)
	return reached.Time, err
}

// reach notes how far a job has come. It never goes back: a run that an operator starts
// for a day of the past undoes no later one.
func (d *DB) reach(ctx context.Context, job string, to time.Time) error {
	_, err := d.change(ctx, "INSERT INTO user_signup_progress (job, reached) VALUES (?, ?)"+
		" ON DUPLICATE KEY UPDATE reached = GREATEST(reached, VALUES(reached))", job, to.UTC())
	return err
}
