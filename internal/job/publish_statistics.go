package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// Period is how long a time statistics are about.
type Period = govwifi.Period

// The periods.
const (
	Day   = govwifi.Day
	Week  = govwifi.Week
	Month = govwifi.Month
)

// PublishStatistics counts sign-ups and publishes the counts.
type PublishStatistics struct {
	Run
	Period Period `json:"period"`
}

// Spec leaves an hour for each attempt.
func (PublishStatistics) Spec() Spec { return maintenanceSpec("publish-statistics") }

// Key is the run, apart for each period.
func (j PublishStatistics) Key() string {
	return "publish-statistics-" + string(j.Period) + "-" + j.Tick
}

// Label is the period and the day.
func (j PublishStatistics) Label() string { return string(j.Period) + " of " + j.Date }

// Objects stores files. What a key held before is overwritten.
type Objects interface {
	Put(ctx context.Context, bucket, key string, body []byte) error
}

// PublishStatisticsHandler publishes to S3 and to the Performance Platform, whichever
// is configured. Both overwrite what an earlier attempt published.
type PublishStatisticsHandler struct {
	Statistics interface {
		// Statistics counts sign-ups of the period before the day and up to it, and
		// log-ins of those who signed up in the period.
		Statistics(ctx context.Context, p govwifi.Period, day time.Time) (govwifi.Volumetrics, govwifi.CompletionRate, error)
	}
	Objects Objects
	// Bucket is S3_METRICS_BUCKET; empty means that nothing is stored.
	Bucket   string
	Platform interface {
		// Configured says whether PERFORMANCE_URL is set.
		Configured() bool
		SendVolumetrics(ctx context.Context, day time.Time, v govwifi.Volumetrics) error
		SendCompletionRate(ctx context.Context, day time.Time, c govwifi.CompletionRate) error
	}
	Log *slog.Logger
}

// Handle follows docs/rules.md, Statistics. One destination that fails does not keep
// the figures from the other.
func (h PublishStatisticsHandler) Handle(ctx context.Context, j PublishStatistics) error {
	day, err := j.day()
	if err != nil {
		return err
	}
	if _, err := j.Period.Before(day); err != nil {
		return Permanent(err)
	}
	if h.Bucket == "" {
		h.Log.InfoContext(ctx, "statistics are not stored in S3: S3_METRICS_BUCKET is not set")
	}
	if !h.Platform.Configured() {
		h.Log.InfoContext(ctx, "statistics are not sent to the Performance Platform: PERFORMANCE_URL is not set")
	}
	if h.Bucket == "" && !h.Platform.Configured() {
		return nil
	}
	volumetrics, completion, err := h.Statistics.Statistics(ctx, j.Period, day)
	if err != nil {
		return fmt.Errorf("make statistics: %w", err)
	}
	return errors.Join(h.store(ctx, j, volumetrics, completion), h.send(ctx, day, volumetrics, completion))
}

// store puts both metrics into the bucket.
func (h PublishStatisticsHandler) store(ctx context.Context, j PublishStatistics, v govwifi.Volumetrics, c govwifi.CompletionRate) error {
	if h.Bucket == "" {
		return nil
	}
	objects := []struct {
		metric string
		body   any
	}{{"volumetrics", v}, {"completion_rate", c}}
	for _, o := range objects {
		body, err := json.Marshal(o.body)
		if err != nil {
			return fmt.Errorf("encode statistics: %w", err)
		}
		key := fmt.Sprintf("%s/%s-%s-%s", o.metric, o.metric, j.Period, j.Date)
		if err := h.Objects.Put(ctx, h.Bucket, key, body); err != nil {
			return fmt.Errorf("publish statistics: %w", err)
		}
	}
	return nil
}

// send tells the Performance Platform, which wants no volumetrics of a week. An error
// in the first metric stops the second, as it always did.
func (h PublishStatisticsHandler) send(ctx context.Context, day time.Time, v govwifi.Volumetrics, c govwifi.CompletionRate) error {
	if !h.Platform.Configured() {
		return nil
	}
	if v.Period != Week {
		if err := h.Platform.SendVolumetrics(ctx, day, v); err != nil {
			return fmt.Errorf("publish statistics: %w", err)
		}
	}
	if err := h.Platform.SendCompletionRate(ctx, day, c); err != nil {
		return fmt.Errorf("publish statistics: %w", err)
	}
	return nil
}
