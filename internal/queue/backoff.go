package queue

import (
	"math/rand/v2"
	"time"
)

// The waits between attempts: 5 s, 10 s, 20 s, … and from the 8th on every quarter
// of an hour. A job that fails all day is tried about a hundred times, and the
// first hiccup costs a waiting person seconds.
const (
	firstWait   = 5 * time.Second
	longestWait = 15 * time.Minute
)

// backoff is the wait after the given number of earlier retries, spread by a fifth
// either way so that jobs that failed together do not come back together.
func backoff(retried int) time.Duration {
	wait := longestWait
	if retried < 8 {
		wait = min(firstWait<<retried, longestWait)
	}
	return wait*4/5 + rand.N(wait*2/5)
}
