package journeys

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/measure"
)

// BenchmarkMemory looks at the memory of ingest and of a worker under load, early and
// late; LOAD (60s) is how long the load lasts.
func BenchmarkMemory(b *testing.B) {
	w := newBench(b)
	ingest, worker := w.open(nil), w.work(unlimited)
	ingest.admin = ingest.said(`ingest takes webhooks.* admin=(\S+)`)
	d := duration(b, "LOAD", time.Minute)
	early, half := [2]int{}, load{addr: listener(w.world.Ingest), duration: min(d/6, time.Minute), pace: time.Second / 200, request: w.texts}
	w.run(half)
	programs := [2]*program{ingest, worker}
	for i, p := range programs {
		early[i] = p.memory("VmRSS")
	}
	reference := half.duration
	half.duration = d - reference
	half.request = func(sender, n int) []byte { return w.texts(sender, 50_000+n) }
	w.run(half)
	for i, name := range []string{"ingest", "a worker"} {
		late := programs[i].memory("VmRSS")
		row := measure.Row{What: fmt.Sprintf("memory of %s after %s of 200 texts/s", name, d), Ours: mb(late), Reference: mb(early[i]),
			Result: float64(late) / float64(early[i]), AtMost: 1.1, Is: fmt.Sprintf("after %s; at most %s", reference, mb(programs[i].memory("VmHWM")))}
		row.Report(b)
		row.What, row.Result, row.Unit, row.AtMost = "the same, resident in "+name, float64(late)/1024, "MB", 50
		row.Report(b)
	}
}

// BenchmarkGuestsMemory looks at one worker before and after a mail with 5,000 guests,
// the most that one may have.
func BenchmarkGuestsMemory(b *testing.B) {
	w := newBench(b)
	w.open(nil)
	worker := w.work(unlimited)
	_ = w.answers(3)
	before := worker.settled()
	const guests = 5000
	w.served("guest", guests)
	after := worker.settled()
	measure.Row{What: "memory of a worker after a mail with 5,000 guests", Ours: mb(after), Reference: mb(before),
		Result: float64(after) / 1024, Unit: "MB", AtMost: 50, Is: "before; at most " + mb(worker.memory("VmHWM"))}.Report(b)
}

// settled waits until the garbage collector has given back what it will, which it
// only does while there is something to do: metrics are scraped meanwhile.
func (p *program) settled() int {
	p.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if !answers(p.Context(), "http://"+p.admin+"/metrics") {
			p.Fatal("the admin server does not answer")
		}
	}
	return p.memory("VmRSS")
}

// answers says whether a URL is answered with 200.
func answers(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// BenchmarkStart times programs from their start until they are ready for work.
func BenchmarkStart(b *testing.B) {
	w := newBench(b)
	const times = 7
	ready := func(env environment, listens, path, name string, args ...string) time.Duration {
		var took []time.Duration
		for range times {
			began := time.Now()
			p := start(b, env, name, args...)
			url := "http://" + p.said(listens) + path
			for !answers(b.Context(), url) {
				if time.Since(began) > time.Minute {
					b.Fatalf("%s is not ready:\n%s", name, p.stderr)
				}
				time.Sleep(time.Millisecond)
			}
			took = append(took, time.Since(began))
			p.kill()
		}
		return median(took)
	}
	hello := ready(nil, `listening on (\S+)`, "/", "bare", "hello")
	for _, program := range []struct {
		name, listens string
		env           environment
	}{
		{"ingest", `ingest takes webhooks.* admin=(\S+)`, w.forIngest()},
		{"worker", `the worker takes jobs.* admin=(\S+)`, w.forWorker()},
		{"scheduler", `admin=(\S+)`, environment{"ADMIN_ADDR": "127.0.0.1:0", "REDIS_URL": w.redis.URL}},
	} {
		took := ready(program.env, program.listens, "/readyz", program.name)
		measure.Row{What: "start to ready, " + program.name, Ours: ms(took), Reference: ms(hello), Result: inMs(took - hello), Unit: "ms more", AtMost: 200,
			Is: "a net/http server that says hello"}.Report(b)
	}
}
