package journeys

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/measure"
	"github.com/govwifi/user-signup/internal/outside"
	"github.com/govwifi/user-signup/internal/queue"
	"github.com/govwifi/user-signup/internal/testenv"
)

// The benchmarks measure the real programs, each once, and print a table of their own
// (scripts/bench shows nothing else): most figures mean something only beside their
// reference, measured in the same run. Redis and MariaDB fsync every write, as they must
// in production. The load, the stand-ins and the servers share the machine's cores with
// what is measured.

// unlimited lifts the budget of messages: what the service can do is measured, not what
// GOV.UK Notify allows.
var unlimited = environment{"NOTIFY_MESSAGES_PER_MINUTE": "0"}

// round is how long each timed round of load lasts.
func round(b *testing.B) time.Duration { b.Helper(); return duration(b, "DURATION", 3*time.Second) }

// duration reads a variable of whoever runs the benchmarks.
func duration(b *testing.B, name string, otherwise time.Duration) time.Duration {
	b.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		b.Fatalf("%s: %v", name, err)
	}
	return d
}

// heading opens the table, once.
var heading = sync.OnceFunc(func() {
	load, _ := os.ReadFile("/proc/loadavg") // only Linux tells
	fmt.Printf("\n> %d cores, %s/%s, load average before the start %.14s\n", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, load)
	measure.Heading()
})

func perSecond(n float64) string { return fmt.Sprintf("%.0f/s", n) }

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", inMs(d)) }

func inMs(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func mb(kB int) string { return fmt.Sprintf("%.0f MB", float64(kB)/1024) }

// quantile of sorted values.
func quantile[V any](sorted []V, percent int) V {
	return sorted[min(len(sorted)-1, len(sorted)*percent/100)]
}

func median[V float64 | time.Duration](values []V) V {
	slices.Sort(values)
	return quantile(values, 50)
}

// newBench is a town whose Redis and MariaDB write everything to disk before they
// answer.
func newBench(b *testing.B) *town {
	b.Helper()
	heading()
	w := newTown(b).migrate()
	if err := w.rdb().ConfigSet(b.Context(), "appendfsync", "always").Err(); err != nil {
		b.Fatal(err)
	}
	root := testenv.MySQLDatabase{Host: w.mysql.Host, Name: "mysql", User: "root"}.Open(b)
	if _, err := root.ExecContext(b.Context(), "SET GLOBAL innodb_flush_log_at_trx_commit = 1"); err != nil {
		b.Fatal(err)
	}
	return w
}

// flush empties Redis between rounds.
func (w *town) flush() {
	w.Helper()
	if err := w.rdb().FlushAll(w.Context()).Err(); err != nil {
		w.Fatal(err)
	}
}

// listener is where ingest or another door takes requests.
func listener(url string) string { return strings.TrimPrefix(url, "http://") }

// enqueue queues texts of distinct people.
func (w *town) enqueue(n int) {
	w.Helper()
	var u queue.URL
	if err := u.UnmarshalText([]byte(w.redis.URL)); err != nil {
		w.Fatal(err)
	}
	rdb := u.Connect(queue.Patient)
	defer func() { _ = rdb.Close() }()
	client := queue.NewClient(rdb, nil).Grouped(0)
	var wait sync.WaitGroup
	const enqueuers = 128
	for i := range enqueuers {
		wait.Go(func() {
			for k := i; k < n; k += enqueuers {
				text := job.Text{MessageID: uuid.NewString(), Number: "+" + phone(w.people+k), Destination: outside.Number, Text: "Go", ReceivedAt: time.Now()}
				if err := client.Enqueue(w.Context(), job.SignupSMS{Text: text}); err != nil {
					w.Error(err)
				}
			}
		})
	}
	wait.Wait()
	w.people += n
}

// throughput is how many of n queued texts are done per second, beginning and end
// left out.
func (w *town) throughput(n int) float64 {
	w.Helper()
	rdb := w.rdb()
	reached := func(want int) time.Time {
		for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
			done, _ := rdb.Get(w.Context(), "asynq:{interactive}:processed").Int() // absent at first
			if done >= want {
				return time.Now()
			}
			if time.Now().After(deadline) {
				w.Fatalf("%d of %d jobs were done", done, n)
			}
		}
	}
	from := reached(n / 10)
	to := reached(n * 9 / 10)
	reached(n)
	return float64(n*9/10-n/10) / to.Sub(from).Seconds()
}
