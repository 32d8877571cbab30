package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/queue"
	"github.com/govwifi/user-signup/internal/sns"
	"github.com/govwifi/user-signup/internal/telemetry"
)

// Run serves until ctx ends. It starts without Redis too, answering 503: a door
// that restarts in a loop says less than one that is open and says why not.
func Run(ctx context.Context, c Config) error {
	public, err := net.Listen("tcp", string(c.Addr))
	if err != nil {
		return fmt.Errorf("listen on INGEST_ADDR: %w", err)
	}
	admin, err := net.Listen("tcp", string(c.AdminAddr))
	if err != nil {
		return errors.Join(fmt.Errorf("listen on ADMIN_ADDR: %w", err), public.Close())
	}
	log, flush := c.Log.Open(os.Stderr)
	defer flush()
	queue.LogTo(log)
	return Serve(ctx, c, Listeners{public, admin}, log)
}

// Listeners are open already and closed by Serve.
type Listeners struct{ Public, Admin net.Listener }

// Serve is Run on listeners that are open already.
func Serve(ctx context.Context, c Config, on Listeners, log *slog.Logger) error {
	log = telemetry.Traced(log, job.TraceFrom)
	rdb := c.RedisURL.Connect(queue.Impatient)
	defer func() { _ = rdb.Close() }()
	metrics := telemetry.NewMetrics()
	door := c.door(queue.NewClient(rdb, c.SealKeys.Sealer).Grouped(int(c.MinReplicas)).Limited(int(c.QueueLimit)), log, metrics)
	c.measure(metrics, door.Webhooks)
	log.Info("ingest takes webhooks", "addr", on.Public.Addr().String(), "admin", on.Admin.Addr().String())

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return telemetry.ServeUntil(ctx, door.Server(), on.Public) })
	group.Go(func() error {
		return telemetry.Admin{Metrics: metrics, Ready: door.Queue.Ready}.Serve(ctx, on.Admin)
	})
	err := group.Wait()
	log.Info("ingest has stopped")
	return err
}

// measure registers what does not change while ingest runs.
func (c Config) measure(metrics telemetry.Metrics, webhooks telemetry.Webhooks) {
	webhooks.Expect(slices.Collect(maps.Values(routeLabels)), outcomes)
	metrics.SealKeys(c.SealKeys.Keys())
	if pinned := c.Certificate.Certificate; pinned != nil {
		metrics.CertificateEnds(pinned.NotAfter)
	}
}

func (c Config) door(q *queue.Limited, log *slog.Logger, metrics telemetry.Metrics) *Door {
	verifier := sns.NewVerifier(sns.VerifierConfig{Topics: c.Topics, PinnedCertificate: c.Certificate.Certificate, Now: time.Now})
	door := &Door{Queue: q, Confirmer: verifier, Tokens: c.Tokens, Webhooks: metrics.Webhooks(), Log: log, Now: time.Now}
	if c.VerifySNS {
		door.Verifier = verifier
	} else {
		log.Warn("SNS_VERIFY_SIGNATURE is false: anyone who can reach this service can post mail events")
	}
	if c.SealKeys.Sealer == nil {
		log.Warn("QUEUE_SEAL_KEYS is not set: personal data lies in the clear in Redis")
	}
	return door
}
