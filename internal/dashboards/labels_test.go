package dashboards

import (
	"fmt"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"
)

var (
	metricLine = regexp.MustCompile(`(?m)^signup_\w+\{(.*)\} `)
	label      = regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`)
)

// labels are the values of every label of our own metrics, in all programs.
func (h *house) labels() map[string]bool {
	h.Helper()
	found := map[string]bool{}
	for program := range h.admins {
		for _, line := range metricLine.FindAllStringSubmatch(h.metrics(program), -1) {
			for _, l := range label.FindAllStringSubmatch(line[1], -1) {
				found[l[1]+"="+l[2]] = true
			}
		}
	}
	return found
}

// However odd what comes in, by the doors and in Redis, it makes no label: each value
// is a series for ever, and may be somebody's number.
func TestStrangersMakeNoLabels(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.traffic()
	before := h.labels()
	for _, want := range []string{"outcome=unavailable", "route=sms", "queue=batch", "job=signup-email", "status=403"} {
		if !before[want] {
			t.Fatalf("%s is not among %v", want, before)
		}
	}

	h.flood()
	for _, worked := range []string{`signup_jobs_total{job="unknown",`, `signup_deliveries_total{status="other",`} {
		h.worked(worked)
	}
	after := h.labels()
	for value := range before {
		delete(after, value)
	}
	for _, rest := range []string{"job=unknown", "status=other", "template=unknown"} {
		delete(after, rest) // one value for all that there are not
	}
	if len(after) > 0 {
		t.Errorf("new labels: %v", after)
	}
}

// flood does what strangers can, and what an operator or another release may leave in
// Redis.
func (h *house) flood() {
	h.Helper()
	text, mail := "/user-signup/sms-notification/notify", "/user-signup/email-notification"
	for i := range 50 {
		odd := fmt.Sprintf("+4477009%05d", i)
		h.post("/user-signup/"+odd, nil, "")
		h.post(text+"?"+odd, nil, odd)
		h.post(text, http.Header{"Authorization": {"Bearer " + odd}}, odd)
		h.post(text, http.Header{"Authorization": {"Bearer " + h.world.Token}}, odd)
		h.post(mail, http.Header{"X-Amz-Sns-Message-Type": {odd}}, odd)
		h.post(mail, http.Header{"X-Amz-Sns-Message-Type": {"Notification"}}, `{"Type":"`+odd+`"}`)
		h.deliver(h.world.Text(odd, odd))
		_, _ = h.world.Deliver(h.Context(), h.world.Receipt(uuid.NewString(), odd, odd, time.Now()))
		h.deliver(h.world.Receipt(uuid.NewString(), uuid.NewString(), fmt.Sprintf("unheard-of-%c%c", 'a'+i%26, 'a'+i/26), time.Now()))
		h.deliver(h.mail("jo@"+odd[1:]+".example.com", "signup@wifi.service.gov.uk", odd))
		if err := h.redis.HSet(h.Context(), "signup:ticks", odd, 1, odd+" ran", 1).Err(); err != nil {
			h.Fatal(err)
		}
	}
	client := asynq.NewClientFromRedisClient(h.redis)
	for range 5 {
		task := asynq.NewTask("of-another-release-"+uuid.NewString(), []byte("{}"))
		if _, err := client.EnqueueContext(h.Context(), task, asynq.Queue("interactive")); err != nil {
			h.Fatal(err)
		}
	}
	h.deliver(h.world.Text("447700900999", "Go"))
}
