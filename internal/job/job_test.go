package job

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/govwifi/user-signup/internal/govwifi"
)

var update = flag.Bool("update", false, "write the golden payloads of jobs that have none")

// examples holds one job of each type, as the wire format is frozen for.
func examples() []Job {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	mail := SignupEmail{MessageID: "d6iitobk75ur44p8kdnnp7g2n800", From: "Jo <jo@dept.gov.uk>", MailFrom: "bounce@dept.gov.uk",
		Verdicts: govwifi.Verdicts{Spam: "PASS", Virus: "PASS", SPF: "PASS", DKIM: "GRAY", DMARC: "FAIL"}, ReceivedAt: at}
	text := Text{MessageID: "b51f638b-0000-4000-8000-000000000001", Number: "+447700900123", Destination: "07537417417",
		Text: "Go", ReceivedAt: at}
	planned := Planned{"MFRGGZDFMZTWQ2LKNRWW433QOE"}
	run := Run{Date: "2026-11-22", Tick: "20261122T0500Z"}
	return []Job{
		mail,
		SignupSMS{text},
		HelpSMS{Text: text, Topic: govwifi.TopicIPhone},
		SponsorBatch{SignupEmail: mail, Bucket: "wifi-emailbucket", Object: "d6iitobk75ur44p8kdnnp7g2n800"},
		SponsorInvite{BatchID: "d6iitobk75ur44p8kdnnp7g2n800", Sponsor: "Jo <jo@dept.gov.uk>", Contact: "guest@example.com", Guest: 3},
		SponsorReceipt{BatchID: "d6iitobk75ur44p8kdnnp7g2n800"},
		PublishStatistics{run, Week},
		DeleteInactiveUsers{run},
		WarnInactiveUsers{run},
		SendSurveys{run},
		SendFollowups{run},
		CopyNotifications{run},
		BackupTemplates{run},
		RecoverTexts{Recovery{at.Add(-LookBack), "20261122T1200Z"}},
		RecoverMail{Recovery{at.Add(-LookBack), "20261122T1225Z"}},
		ExpiryWarning{planned},
		SurveyInvitation{planned},
		FollowupMessage{planned},
		RecordDelivery{NotificationID: "740e5834-3a29-46b4-9a6f-16142fde533a", Reference: "b51f638b-0000-4000-8000-000000000001", Type: "sms",
			Status: "delivered", TemplateID: "f33517ff-2a88-4f6e-b855-c550268ce08a", TemplateVersion: "3",
			CreatedAt: at, SentAt: at.Add(time.Second), CompletedAt: at.Add(2 * time.Second)},
	}
}

// Names are a wire format, found by exact match and read by people: none may be
// taken for another.
func TestNames(t *testing.T) {
	t.Parallel()
	for _, a := range examples() {
		for _, b := range examples() {
			nameA, nameB := a.Spec().Name, b.Spec().Name
			if nameA == nameB {
				if cmp.Diff(a, b) != "" {
					t.Errorf("two jobs are named %s", nameA)
				}
				continue
			}
			if strings.HasPrefix(nameA, nameB) {
				t.Errorf("%s begins like %s", nameA, nameB)
			}
		}
	}
}

// A worker of the last release must be able to read what this one queues.
func TestWireFormat(t *testing.T) {
	t.Parallel()
	for _, j := range examples() {
		name := j.Spec().Name
		file := filepath.Join("testdata", name+".json")
		got, err := json.MarshalIndent(j, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, '\n')
		want, err := os.ReadFile(file)
		if os.IsNotExist(err) && *update {
			if err := os.WriteFile(file, got, 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v\n%s", name, err, cmp.Diff(string(want), string(got)))
		}
	}
}

func TestSpecs(t *testing.T) {
	t.Parallel()
	known := map[Queue]bool{}
	for _, q := range Queues() {
		known[q] = true
	}
	for _, j := range examples() {
		s := j.Spec()
		// Below Notify's longest answer, a message would be cut off half-way.
		if !known[s.Queue] || s.Timeout < 70*time.Second || s.Patience < time.Hour {
			t.Errorf("%s: %+v", s.Name, s)
		}
	}
}

// Keys and labels are seen by operators: nothing personal is in them.
func TestKeysAndLabels(t *testing.T) {
	t.Parallel()
	keys := map[string]bool{}
	for _, j := range examples() {
		key := j.Key()
		for _, personal := range []string{"jo@", "guest@", "7700900123", "Go"} {
			if strings.Contains(key, personal) || strings.Contains(j.Label(), personal) {
				t.Errorf("%s: key %q, label %q", j.Spec().Name, key, j.Label())
			}
		}
		if key == "" || len(key) > 150 || j.Label() == "" || j.WasRecovered() != isPlanned(j) {
			t.Errorf("%s: key %q, label %q, recovered %v", j.Spec().Name, key, j.Label(), j.WasRecovered())
		}
		// A mail or a text is one event, whatever it turns out to ask for; all
		// other keys are apart, as they are also the references of messages.
		if keys[key] && j.Spec().Name != "help-sms" && j.Spec().Name != "sponsor-batch" {
			t.Errorf("%s shares its key %q", j.Spec().Name, key)
		}
		keys[key] = true
	}
}

// isPlanned finds the jobs that always ask Notify first.
func isPlanned(j Job) bool {
	switch j.(type) {
	case ExpiryWarning, SurveyInvitation, FollowupMessage:
		return true
	}
	return false
}

func TestRecovered(t *testing.T) {
	t.Parallel()
	for _, j := range []Job{SignupEmail{Recovered: true}, SignupSMS{Text{Recovered: true}}, HelpSMS{Text: Text{Recovered: true}},
		SponsorBatch{SignupEmail: SignupEmail{Recovered: true}}, SponsorInvite{Recovered: true}, SponsorReceipt{Recovered: true}} {
		if !j.WasRecovered() {
			t.Errorf("%s does not know that it was recovered", j.Spec().Name)
		}
	}
}
