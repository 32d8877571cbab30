package notifytest

import (
	"fmt"
	"math"
	"net/http"
	"time"
)

// bucket is Notify's token bucket (docs/facts.md A8): every request eats a token,
// also one that is refused, and a request passes only if a token is left after its
// own. So a bucket that is empty and asked at its refill rate never lets one through.
type bucket struct {
	rate   int
	tokens float64
	at     time.Time
}

func newBucket(ratePerMinute int) bucket {
	b := bucket{rate: ratePerMinute}
	b.tokens = b.size()
	return b
}

func (b *bucket) size() float64 {
	return math.Min(math.Ceil(float64(b.rate)/3)+1, 1000)
}

func (b *bucket) take(now time.Time) *refusal {
	if b.rate == 0 {
		return nil
	}
	if !b.at.IsZero() && now.After(b.at) {
		b.tokens = math.Min(b.size(), b.tokens+now.Sub(b.at).Minutes()*float64(b.rate))
	}
	if b.at.IsZero() || now.After(b.at) {
		b.at = now
	}
	b.tokens = math.Max(0, b.tokens-1)
	if b.tokens >= 1 {
		return nil
	}
	return refuse(http.StatusTooManyRequests, "RateLimitError",
		fmt.Sprintf("Exceeded rate limit for key type LIVE of %d requests per 60 seconds", b.rate))
}

// daily counts what was accepted since midnight UTC, for each type of message.
type daily struct {
	day  string
	sent map[string]int
}

func (d *daily) turn(now time.Time) {
	if day := now.UTC().Format(time.DateOnly); day != d.day {
		d.day, d.sent = day, map[string]int{}
	}
}

func (d *daily) check(kind string, limit int, now time.Time) *refusal {
	d.turn(now)
	if limit == 0 || d.sent[kind] < limit {
		return nil
	}
	return refuse(http.StatusTooManyRequests, "TooManyRequestsError",
		fmt.Sprintf("Exceeded send limits (%s: %d) for today", kind, limit))
}

func (d *daily) count(kind string, now time.Time) {
	d.turn(now)
	d.sent[kind]++
}
