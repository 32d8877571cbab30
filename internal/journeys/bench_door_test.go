package journeys

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/measure"
)

// compare loads two doors in turn, three times each, and returns their median rates and
// all their answers' times, sorted.
func (w *town) compare(b *testing.B, doors [2]string, request func(sender, n int) []byte) (rates [2]float64, took [2][]time.Duration) {
	b.Helper()
	for _, door := range doors {
		w.run(load{addr: door, duration: time.Second, request: request})
	}
	var all [2][]float64
	for range 3 {
		for i, door := range doors {
			w.flush()
			got := w.run(load{addr: door, duration: round(b), request: request})
			all[i] = append(all[i], float64(len(got))/round(b).Seconds())
			took[i] = append(took[i], got...)
		}
	}
	for i := range doors {
		rates[i] = median(all[i])
		slices.Sort(took[i])
	}
	return rates, took
}

// BenchmarkDoor counts acknowledged texts.
func BenchmarkDoor(b *testing.B) {
	w := newBench(b)
	ingest := w.open(nil)
	bare := start(b, nil, "bare", "door", w.redis.Addr)
	doors := [2]string{listener(w.world.Ingest), bare.said(`listening on (\S+)`)}
	defer ingest.profile("ingest")()
	rates, took := w.compare(b, doors, w.texts)
	const is = "a bare net/http handler that does one asynq.Client.Enqueue"
	measure.Row{What: "texts acknowledged, 32 connections", Ours: perSecond(rates[0]), Reference: perSecond(rates[1]),
		Result: rates[0] / rates[1], AtLeast: 1.3, Is: is, Summary: true}.Report(b)
	ours, theirs := quantile(took[0], 99), quantile(took[1], 99)
	measure.Row{What: "p99 of these answers", Ours: ms(ours), Reference: ms(theirs), Result: float64(ours) / float64(theirs), Is: is, Summary: true}.Report(b)
}

// BenchmarkMail counts acknowledged mails, with their signatures verified and not.
func BenchmarkMail(b *testing.B) {
	w := newBench(b)
	request := w.mails(3000)
	w.open(nil)
	verified := listener(w.world.Ingest)
	w.open(environment{"SNS_VERIFY_SIGNATURE": "false"})
	rates, _ := w.compare(b, [2]string{verified, listener(w.world.Ingest)}, request)
	measure.Row{What: "mails acknowledged, signatures verified", Ours: perSecond(rates[0]), Reference: perSecond(rates[1]),
		Result: rates[0] / rates[1], AtLeast: 0.6, Is: "the same, not verified"}.Report(b)
}

// BenchmarkSteady times answers at a rate that leaves time to spare.
func BenchmarkSteady(b *testing.B) {
	w := newBench(b)
	w.open(nil)
	const pace = time.Second / 500
	door := load{addr: listener(w.world.Ingest), duration: 3 * round(b), pace: pace, request: w.texts}
	w.run(load{addr: door.addr, duration: time.Second, request: w.texts})
	trips := w.roundTrips(pace, door.duration)
	answers := w.run(door)
	const is = "one Redis round trip (SET of as many bytes) at that rate"
	for _, row := range []measure.Row{
		{What: "p50 of an answer at 500 texts/s", Result: float64(quantile(answers, 50)) / float64(quantile(trips, 50)), AtMost: 3},
		{What: "p99 of an answer at 500 texts/s, above it", Result: inMs(quantile(answers, 99) - quantile(trips, 99)), Unit: "ms", AtMost: 10},
	} {
		percent := 50
		if row.Unit != "" {
			percent = 99
		}
		row.Ours, row.Reference, row.Is = ms(quantile(answers, percent)), ms(quantile(trips, percent)), is
		row.Report(b)
	}
}

// roundTrips times single commands as load times answers.
func (w *town) roundTrips(pace, d time.Duration) []time.Duration {
	w.Helper()
	rdb := w.rdb()
	payload := strings.Repeat("x", 300)
	var mu sync.Mutex
	var took []time.Duration
	var wait sync.WaitGroup
	start := time.Now()
	for i := range connections {
		wait.Go(func() {
			for n := 0; ; n++ {
				due := start.Add(pace * time.Duration(n*connections+i))
				if due.Sub(start) > d {
					return
				}
				time.Sleep(time.Until(due))
				if err := rdb.Set(context.WithoutCancel(w.Context()), fmt.Sprint(i), payload, 0).Err(); err != nil {
					w.Error(err)
					return
				}
				mu.Lock()
				took = append(took, time.Since(due))
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	slices.Sort(took)
	return took
}

// BenchmarkQueueLength looks whether a long queue makes the door slower.
func BenchmarkQueueLength(b *testing.B) {
	w := newBench(b)
	w.open(nil)
	door := load{addr: listener(w.world.Ingest), duration: round(b) / 5, request: w.texts}
	w.run(door)
	curve := measure.Curve{Name: "queue", Title: "An acknowledgement while jobs wait", X: "jobs waiting", Y: "µs per text, 32 connections"}
	w.flush()
	for length, have := 1000, 0; length <= 100_000; length *= 10 {
		w.enqueue(length - have)
		got := w.run(door)
		curve.Points = append(curve.Points, measure.Point{X: float64(length + len(got)/2), Y: float64(door.duration.Microseconds()) / float64(len(got))})
		have = length + len(got)
	}
	curve.Report(b)
}
