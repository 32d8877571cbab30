package faultrun

import (
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/govwifi/user-signup/internal/notify/notifytest"
	"github.com/govwifi/user-signup/internal/s3/s3test"
)

// fault is one way in which the world goes wrong.
type fault struct {
	// name is what the report calls it.
	name string
	// weight is how often it comes, compared with the others.
	weight int
	// shortest and longest bound how long it lasts.
	shortest, longest time.Duration
	// on is what it befalls: two faults never befall the same at once.
	on target
	// begin makes it happen, to the target's i-th, and returns what ends it. dice is the
	// plan's, so that a seed gives the same again.
	begin func(w *scene, i int, dice *rand.Rand) (end func())
}

// target is a part of the scene and how many there are.
type target struct {
	name string
	of   int
}

var (
	anIngest   = target{"ingest", 2}
	aWorker    = target{"worker", 3}
	aScheduler = target{"scheduler", 2}
	theRedis   = target{"redis", 1}
	theMySQL   = target{"mysql", 1}
	theNotify  = target{"notify", 1}
	theS3      = target{"s3", 1}
)

func (t target) pick(w *scene, i int) *process {
	switch t {
	case anIngest:
		return w.ingests[i]
	case aWorker:
		return w.workers[i]
	}
	return w.scheduler[i]
}

// faults is the table of all that can happen in a topology.
func faults(failover, clocks bool) []fault {
	all := append(processFaults(), notifyFaults()...)
	all = append(all, storeFaults()...)
	if failover {
		all = append(all, failoverFaults()...)
	} else {
		all = append(all, lineFaults()...)
	}
	if clocks {
		all = append(all, clockFaults()...)
	}
	return all
}

func processFaults() []fault {
	var all []fault
	for _, on := range []target{anIngest, aWorker, aScheduler} {
		weight := map[target]int{anIngest: 3, aWorker: 6, aScheduler: 1}[on]
		all = append(all,
			fault{"kill-" + on.name, weight, 0, 8 * time.Second, on, func(w *scene, i int, _ *rand.Rand) func() {
				p := on.pick(w, i)
				p.kill()
				return p.release
			}},
			fault{"freeze-" + on.name, weight, time.Second, 25 * time.Second, on, func(w *scene, i int, _ *rand.Rand) func() {
				p := on.pick(w, i)
				p.signal(syscall.SIGSTOP)
				return func() { p.signal(syscall.SIGCONT) }
			}},
			// A release: the platform starts it again when it has drained.
			fault{"replace-" + on.name, 1, 0, 0, on, func(w *scene, i int, _ *rand.Rand) func() {
				on.pick(w, i).signal(syscall.SIGTERM)
				return func() {}
			}},
		)
	}
	return all
}

// clockFaults step the wall clock of one program by up to 2 s, so that no two differ by
// more than the promise assumes (docs/reliability.md).
func clockFaults() []fault {
	var all []fault
	for _, on := range []target{anIngest, aWorker, aScheduler} {
		all = append(all, fault{"clock-" + on.name, 2, 5 * time.Second, 30 * time.Second, on, func(w *scene, i int, dice *rand.Rand) func() {
			clock := w.clocks[on.pick(w, i)]
			clock.set(time.Duration(dice.Int64N(int64(4*time.Second))) - 2*time.Second)
			return func() { clock.set(0) }
		}})
	}
	return all
}

func notifyFaults() []fault {
	moody := func(name string, weight int, m mood) fault {
		return fault{name, weight, 3 * time.Second, 12 * time.Second, theNotify, func(w *scene, _ int, _ *rand.Rand) func() {
			w.mood.set(&m)
			return func() { w.mood.set(nil) }
		}}
	}
	both := func(f notifytest.Fault) mood { return mood{send: always(f), read: always(f)} }
	return []fault{
		moody("notify-500", 2, both(notifytest.Fault{Status: 500, Error: "InternalServerError", Message: "Internal server error"})),
		moody("notify-502-page", 1, both(notifytest.Fault{Status: 502})),
		moody("notify-500-accepted", 2, mood{send: always(notifytest.Fault{Accept: true, Status: 500, Error: "InternalServerError", Message: "Internal server error"})}),
		moody("notify-429", 2, mood{send: always(notifytest.Fault{Status: 429, Error: "RateLimitError", Message: "Exceeded rate limit for key type LIVE of 3000 requests per 60 seconds"})}),
		moody("notify-hangs", 1, both(notifytest.Fault{Hang: true})),
		moody("notify-hangs-accepted", 2, mood{send: always(notifytest.Fault{Accept: true, Hang: true})}),
		moody("notify-cut", 1, both(notifytest.Fault{Cut: true})),
		moody("notify-cut-accepted", 3, mood{send: always(notifytest.Fault{Accept: true, Cut: true})}),
		moody("notify-commits-late", 4, mood{send: late}),
		moody("notify-slow", 2, both(notifytest.Fault{Delay: 3 * time.Second})),
		// Beyond the 30 s that Notify bears: every token is refused.
		{"notify-clock", 1, 2 * time.Second, 6 * time.Second, theNotify, func(w *scene, _ int, _ *rand.Rand) func() {
			w.mood.step(45 * time.Second)
			return func() { w.mood.step(0) }
		}},
		{"s3-errors", 2, 2 * time.Second, 12 * time.Second, theS3, func(w *scene, _ int, _ *rand.Rand) func() {
			w.s3.Break(s3test.Fault{Status: 503, Code: "SlowDown"})
			return func() { w.s3.Break(s3test.Fault{}) }
		}},
		{"s3-cut", 1, 2 * time.Second, 12 * time.Second, theS3, func(w *scene, _ int, _ *rand.Rand) func() {
			w.s3.Break(s3test.Fault{CutAfter: 20})
			return func() { w.s3.Break(s3test.Fault{}) }
		}},
	}
}

// storeFaults are those of any Redis, and MySQL's.
func storeFaults() []fault {
	return []fault{
		{"mysql-restart", 3, 0, 6 * time.Second, theMySQL, func(w *scene, _ int, _ *rand.Rand) func() {
			w.mysql.Stop()
			return w.mysql.Start
		}},
		{"redis-restart", 4, 0, time.Second, theRedis, func(w *scene, _ int, _ *rand.Rand) func() {
			n := w.store.primary()
			n.kill()
			return func() { n.release(); w.store.rejoin(n) }
		}},
		{"redis-frozen", 3, time.Second, 8 * time.Second, theRedis, func(w *scene, _ int, _ *rand.Rand) func() {
			n := w.store.primary()
			n.signal(syscall.SIGSTOP)
			return func() { n.signal(syscall.SIGCONT); w.store.rejoin(n) }
		}},
		{"redis-disk-full", 3, 2 * time.Second, 6 * time.Second, theRedis, func(w *scene, _ int, _ *rand.Rand) func() {
			n := w.store.primary()
			if !n.disk.small {
				w.Log("a disk can only be filled by root: redis-disk-full did nothing")
				return func() {}
			}
			n.disk.fill()
			return func() { n.disk.free(); w.store.rejoin(n) }
		}},
	}
}

// failoverFaults take the primary away for so long that a replica takes over.
func failoverFaults() []fault {
	const noticed = 6 * time.Second
	return []fault{
		{"redis-failover", 6, noticed, 10 * time.Second, theRedis, func(w *scene, _ int, _ *rand.Rand) func() {
			n := w.store.primary()
			n.kill()
			return func() { n.release(); w.store.rejoin(n) }
		}},
		// The replicas hear nothing for a second, then all crash, and the replicas are back
		// first: what they had not read is lost, as if the network had dropped it.
		{"redis-failover-behind", 6, noticed, 10 * time.Second, theRedis, func(w *scene, _ int, _ *rand.Rand) func() {
			n, others := w.store.primary(), w.store.others()
			if !w.store.onDisk(others) {
				w.Log("a replica is still writing its file anew: redis-failover-behind did nothing")
				return func() {}
			}
			for _, replica := range others {
				replica.signal(syscall.SIGSTOP)
			}
			time.Sleep(time.Second)
			n.kill()
			for _, replica := range others {
				replica.kill()
				replica.release()
			}
			return func() { n.release(); w.store.rejoin(n) }
		}},
		{"redis-replicas-away", 2, time.Second, 5 * time.Second, theRedis, func(w *scene, _ int, _ *rand.Rand) func() {
			others := w.store.others()
			for _, replica := range others {
				replica.kill()
			}
			return func() {
				for _, replica := range others {
					replica.release()
					w.store.rejoin(replica)
				}
			}
		}},
	}
}

// lineFaults are those of the connection to a single Redis.
func lineFaults() []fault {
	return []fault{
		{"redis-down", 4, 2 * time.Second, 12 * time.Second, theRedis, func(w *scene, _ int, _ *rand.Rand) func() {
			n := w.store.primary()
			n.kill()
			return n.release
		}},
		{"redis-line-cut", 3, 0, 6 * time.Second, theRedis, func(w *scene, _ int, _ *rand.Rand) func() {
			w.store.line.Cut()
			return w.store.line.Restore
		}},
		{"redis-lost-replies", 6, 2 * time.Second, 5 * time.Second, theRedis, func(w *scene, _ int, dice *rand.Rand) func() {
			w.store.line.SwallowReplies(2+dice.IntN(20), "evalsha")
			return func() { w.store.line.SwallowReplies(0, "") }
		}},
	}
}
