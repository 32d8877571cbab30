package trail

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const at = `"time":"2026-11-25T10:00:00`

// steps are an event's as text, in the order of time.
func steps(e Event) string {
	var b strings.Builder
	for _, s := range e.Door {
		fmt.Fprintf(&b, "door %s (%s) %v\n", s.What, s.Detail, s.Bad)
	}
	for _, j := range e.Jobs {
		for _, s := range j.Steps {
			fmt.Fprintf(&b, "%s %s (%s) %v\n", j.Key, s.What, s.Detail, s.Bad)
		}
	}
	return b.String()
}

// The lines are as the service writes them; their order is that of the two programs' logs
// on their way to the sandbox, so a worker's may come before ingest's.
func TestTrail(t *testing.T) {
	t.Parallel()
	changes := 0
	trail := New(func() { changes++ })
	for _, line := range []string{
		`{` + at + `.010Z","level":"INFO","msg":"queued","job":"signup-sms","key":"k1","about":"from: +4477*****123","trace":"T1"}`,
		`{` + at + `.050Z","level":"DEBUG","msg":"taken","job":"signup-sms","key":"k1","attempt":1,"wait":"40ms","trace":"T1"}`,
		`{` + at + `.012Z","level":"INFO","msg":"method=POST path=/user-signup/sms-notification/notify status=200 duration=0.0070","trace":"T1"}`,
		`{` + at + `.060Z","level":"DEBUG","msg":"user created","key":"k1","trace":"T1"}`,
		`{` + at + `.090Z","level":"INFO","msg":"job","job":"signup-sms","key":"k1","attempt":1,"outcome":"retry","duration":"40ms","err":"answered 503","trace":"T1"}`,
		`{` + at + `.100Z","level":"INFO","msg":"queued","job":"signup-sms","key":"k1","about":"from: +4477*****123","trace":"T2"}`,
		`{` + at + `.101Z","level":"INFO","msg":"method=POST path=/user-signup/sms-notification/notify status=200 duration=0.0010","trace":"T2"}`,
		`{` + at + `.200Z","level":"INFO","msg":"an event needs nothing","reason":"a text from our own number","trace":"T3"}`,
		`{` + at + `.201Z","level":"INFO","msg":"method=POST path=/user-signup/sms-notification/notify status=200 duration=0.0010","trace":"T3"}`,
		`{` + at + `.300Z","level":"INFO","msg":"method=POST path=/user-signup/sms-notification/notify status=401 duration=0.0010","trace":"T4"}`,
		`{` + at + `.301Z","level":"INFO","msg":"method=GET path=/healthcheck status=200 duration=0.0010","trace":"T5"}`,
		`no JSON`, `{"msg":"the worker takes jobs"}`,
	} {
		if n, err := trail.Write([]byte(line)); n != len(line) || err != nil {
			t.Fatalf("%s: %d, %v", line, n, err)
		}
	}
	trail.Asked("k1", time.Date(2026, 11, 25, 10, 0, 6, 0, time.UTC))
	trail.Accepted("k1", "credentials_sms", "+447700900123", time.Date(2026, 11, 25, 10, 0, 7, 0, time.UTC))
	trail.Accepted("of a job that nobody told of", "credentials_sms", "+447700900123", time.Now())

	events := trail.Events(10)
	want := []string{
		"door Webhook refused (answered 401 in 1.0 ms) true\n",
		"door Webhook accepted (answered 200 in 1.0 ms) false\ndoor An event needs nothing (a text from our own number) false\n",
		"door Webhook accepted (answered 200 in 1.0 ms) false\ndoor Known already (the event's job was queued at ",
		"door Webhook accepted (answered 200 in 7.0 ms) false\n" +
			"k1 Queued (signup-sms) false\nk1 Taken by the worker (attempt 1, 40 ms after it was queued) false\nk1 User created (in userdetails) false\n" +
			"k1 Failed, to be tried again (answered 503) true\nk1 Notify asked (whether it has this message already) false\n" +
			"k1 Notify accepted (credentials_sms to +4477*****123) false\n",
	}
	if len(events) != len(want) {
		t.Fatalf("%d events, want %d: %+v", len(events), len(want), events)
	}
	for i, e := range events {
		if got := steps(e); !strings.HasPrefix(got, want[i]) {
			t.Errorf("event %s:\n%swant\n%s", e.Trace, got, want[i])
		}
	}
	if !events[2].Again || events[3].Again || events[3].Jobs[0].State != Waiting {
		t.Errorf("again %v and %v, state %s", events[2].Again, events[3].Again, events[3].Jobs[0].State)
	}
	if all, idle := trail.Acknowledged(); all != 3 || idle != 2 {
		t.Errorf("acknowledged %d, idle %d", all, idle)
	}
	if changes == 0 {
		t.Error("nobody was told of a change")
	}
}

// A worker that is killed leaves the jobs that it had taken, and no others.
func TestKilled(t *testing.T) {
	t.Parallel()
	trail := New(func() {})
	for i, outcome := range []string{"", "done"} {
		key := fmt.Sprint("k", i)
		_, _ = fmt.Fprintf(trail, `{%s.010Z","level":"DEBUG","msg":"taken","job":"signup-sms","key":%q,"attempt":1,"trace":"T"}`, at, key)
		if outcome != "" {
			_, _ = fmt.Fprintf(trail, `{%s.020Z","level":"INFO","msg":"job","job":"signup-sms","key":%q,"outcome":%q,"trace":"T"}`, at, key, outcome)
		}
	}
	trail.Killed(time.Now())
	jobs := trail.Jobs()
	if len(jobs) != 2 || jobs[0].State != Crashed || jobs[1].State != Done {
		t.Errorf("%+v", jobs)
	}
}

// The ways of messages are shown however many periodic jobs run meanwhile, and whatever
// those queue. Their jobs are counted as all others.
func TestPeriodicJobsTakeNoPlace(t *testing.T) {
	t.Parallel()
	trail := New(func() {})
	_, _ = fmt.Fprintf(trail, `{%s.010Z","level":"INFO","msg":"queued","job":"signup-sms","key":"k1","trace":"T1"}`, at)
	_, _ = fmt.Fprintf(trail, `{%s.020Z","level":"DEBUG","msg":"taken","job":"signup-sms","key":"k1","attempt":1,"trace":"T1"}`, at)
	for i := range 20 {
		key := fmt.Sprint("send-surveys-", i)
		_, _ = fmt.Fprintf(trail, `{%s.100Z","level":"DEBUG","msg":"taken","job":"send-surveys","key":%q,"attempt":1,"trace":%q}`, at, key, key)
		_, _ = fmt.Fprintf(trail, `{%s.110Z","level":"DEBUG","msg":"queued","job":"survey-invitation","key":"s%d","trace":%q}`, at, i, key)
		_, _ = fmt.Fprintf(trail, `{%s.120Z","level":"INFO","msg":"job","job":"send-surveys","key":%q,"outcome":"done","trace":%q}`, at, key, key)
	}
	if events := trail.Events(12); len(events) != 1 || events[0].Trace != "T1" {
		t.Errorf("%d events are shown, want that of the text alone", len(events))
	}
	if jobs := len(trail.Jobs()); jobs != 1+2*20 {
		t.Errorf("%d jobs", jobs)
	}
}

// Only the latest events are kept, but every job is counted.
func TestTrailIsBounded(t *testing.T) {
	t.Parallel()
	trail := New(func() {})
	for i := range 2 * remembered {
		_, _ = fmt.Fprintf(trail, `{%s.010Z","level":"INFO","msg":"queued","job":"signup-sms","key":"k%d","trace":"T%d"}`, at, i, i)
	}
	if events, jobs := len(trail.Events(10*remembered)), len(trail.Jobs()); events != remembered || jobs != 2*remembered {
		t.Errorf("%d events, %d jobs", events, jobs)
	}
}
