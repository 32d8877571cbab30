package journeys

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/notify/notifytest"
	"github.com/govwifi/user-signup/internal/outside"
	"github.com/govwifi/user-signup/internal/queue"
)

// stranger is a job that no release knows.
type stranger struct {
	name, key string
	Text      string `json:"received_at"`
}

func (s stranger) Spec() job.Spec {
	return job.Spec{Name: s.name, Queue: job.Interactive, Timeout: 1e9, Patience: 1e12}
}
func (s stranger) Key() string      { return s.key }
func (stranger) Label() string      { return "somebody" }
func (stranger) WasRecovered() bool { return false }

// privateHouse writes down all that anybody can see of it.
type privateHouse struct {
	*house
	secrets secrets
	// answers is every answer over HTTP.
	answers strings.Builder
	// keys are those of the jobs whose outcome is awaited.
	keys []string
}

// Nothing personal is to be read in logs, metrics, answers and Redis: every journey,
// in health and in trouble, with seal keys and at the most talkative log level.
func TestPrivacy(t *testing.T) {
	h := &privateHouse{house: newHouse(t), secrets: secrets{}}
	if err := h.seal.UnmarshalText([]byte("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")); err != nil {
		t.Fatal(err)
	}
	h.secrets.hide("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY", h.world.Token, h.notify.Key()[len(h.notify.Key())-36:], h.database.Pass)
	h.prepare()
	h.open()
	h.textJourneys()
	h.mailJourneys()
	h.badRequests()
	h.strangeJobs()
	h.search("Redis before anything is worked on", dump(t, h.redis.URL))
	h.work()
	for _, key := range h.keys {
		h.await("an attempt at "+key, func() bool { return strings.Contains(h.log.String(), "key="+key+" attempt=1") })
	}
	h.await("the sponsor's receipt", func() bool { return done(h.log.String(), h.keys[0]+"-receipt") })
	h.look()
	h.hideCredentials()

	h.search("the log", h.log.String())
	h.search("answers over HTTP", h.answers.String())
	h.search("Redis", dump(t, h.redis.URL))
	h.search("all that was ever written to Redis", everWritten(t, h.redis.URL))
	h.happened()
}

// prepare makes trouble with contacts in its words, and a guest of long ago.
func (h *privateHouse) prepare() {
	h.t.Helper()
	for _, statement := range []string{
		`INSERT INTO userdetails (username, password, contact, sponsor, created_at) VALUES
			('zzzbcd', 'OldGuestWord', 'greta.guestling@example.org', 'long.ago.sponsor@dept.gov.uk', NOW() - INTERVAL 200 DAY)`,
		`CREATE TRIGGER talkative BEFORE INSERT ON userdetails FOR EACH ROW BEGIN
			DECLARE words TEXT DEFAULT CONCAT("Duplicate entry '", NEW.contact, "' for key 'contact'");
			IF NEW.contact IN ('+447700900333', 'trigger.happy@dept.gov.uk') THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = words; END IF;
		END`,
	} {
		if _, err := h.db.ExecContext(h.t.Context(), statement); err != nil {
			h.t.Fatal(err)
		}
	}
	h.secrets.hideContact("greta.guestling@example.org", "long.ago.sponsor@dept.gov.uk")
	h.notify.Play(func(r notifytest.Request) notifytest.Fault {
		if !r.IsSend() {
			return notifytest.Fault{}
		}
		switch r.To {
		case "+447700900444", "refused.guest@example.net":
			return notifytest.Fault{Status: 400, Error: "ValidationError", Message: kind(r) + " " + r.To + " (" + strings.TrimPrefix(r.To, "+") + ") is not valid"}
		case "+447700900555":
			return notifytest.Fault{Status: 500}
		case "+447700900777":
			return notifytest.Fault{Cut: true}
		}
		return notifytest.Fault{}
	})
}

// kind is the field that Notify complains of.
func kind(r notifytest.Request) string {
	return map[string]string{"email": "email_address", "sms": "phone_number"}[r.Endpoint]
}

// send delivers an event whose job is awaited.
func (h *privateHouse) send(e outside.Event) {
	h.t.Helper()
	h.deliver(e)
	h.keys = append(h.keys, e.ID)
}

func (h *privateHouse) mailJourneys() {
	h.t.Helper()
	const header = "Sir Topham Hattersley <topham.hattersley@dept.gov.uk>"
	long := strings.Repeat("longfellow", 11) + "@example.net"
	guests := []string{"o'brannigan&sons@example.net", "+447700900888", "refused.guest@example.net", "+447700900444", "quentin@quibblewick.co.uk", long, "trigger.happy@dept.gov.uk"}
	h.secrets.hide("Topham", "Hattersley", "flamingo party", "Zaphod B. Quillfeather", "Wilma Wotherspoon", "kept.secret.subject")
	h.secrets.hideContact(append(guests, "topham.hattersley@dept.gov.uk", "zaphod.quill+wifi@dept.gov.uk", "wilma.wotherspoon@example.com", "mallory.forger@dept.gov.uk", "no.guests@dept.gov.uk", "uninvited@example.org")...)

	batch := h.mail(header, sponsor, "Dear colleagues, please come to the flamingo party:\r\n"+strings.Join(guests[:6], "\r\n")+"\r\n")
	h.keys = append([]string{batch.ID}, h.keys...)
	h.deliver(batch)
	h.deliver(batch)
	h.send(h.mail("Zaphod B. Quillfeather <Zaphod.Quill+wifi@dept.gov.uk>", signup, "kept.secret.subject"))
	h.send(h.mail(`"Wilma Wotherspoon" <wilma.wotherspoon@example.com>`, signup, ""))
	h.send(h.mail("greta.guestling@example.org", signup, ""))
	h.send(h.mail("trigger.happy@dept.gov.uk", signup, ""))
	h.send(h.mail("no.guests@dept.gov.uk", sponsor, "flamingo party"))
	h.send(h.mail("wilma.wotherspoon@example.com", sponsor, "uninvited@example.org"))
	for _, to := range []string{signup, sponsor} {
		forged, err := h.world.Mail(outside.PlainMail("Mallory <mallory.forger@dept.gov.uk>", to, "Hello", "uninvited@example.org"), to, map[string]string{"dmarc": "FAIL"})
		if err != nil {
			h.t.Fatal(err)
		}
		h.send(forged)
	}
}

func (h *privateHouse) textJourneys() {
	h.t.Helper()
	h.secrets.hide("purple umbrella", "iphone of my aunt Agatha", "Thank you, Marmaduke", "NHSquirrel", "echo of the canyon")
	h.secrets.hideContact("+447700900111", "+447700900222", "+447700900333", "+447700900444", "+447700900555", "+447700900777", "+447537417417")
	h.send(h.world.Text("447700900111", "Where is my purple umbrella? Go"))
	h.send(h.world.Text("447700900111", "help, purple umbrella"))
	h.send(h.world.Text("07700 900111", "the iphone of my aunt Agatha"))
	again := h.world.Text("447700900111", "purple umbrella once more")
	h.send(again)
	h.deliver(again)
	for range 3 {
		h.send(h.world.Text("447700900222", "Thank you, Marmaduke"))
	}
	for _, number := range []string{"447700900333", "447700900444", "447700900555", "447700900777"} {
		h.send(h.world.Text(number, "Go, purple umbrella"))
	}
	// These are not queued.
	h.deliver(h.world.Text("447537417417", "echo of the canyon"))
	h.deliver(h.world.Text("60006", "echo of the canyon"))
	h.deliver(h.world.Text("NHSquirrel", "echo of the canyon"))
}

// badRequests has contacts where none belong.
func (h *privateHouse) badRequests() {
	h.t.Helper()
	const mail, number, name = "odd.one.out@dept.gov.uk", "+447700900999", "Cordelia Crumpet"
	h.secrets.hide(name)
	h.secrets.hideContact(mail, number)
	const sms, email = "/user-signup/sms-notification/notify", "/user-signup/email-notification"
	notification := func(fields map[string]any) string {
		for key, value := range map[string]any{"Type": "Notification", "MessageId": "1", "TopicArn": outside.Topic, "Message": name + mail, "Timestamp": "2026-11-22T12:00:00.000Z",
			"SignatureVersion": "1", "Signature": "c2ln", "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/x.pem"} {
			if _, given := fields[key]; !given {
				fields[key] = value
			}
		}
		text, err := json.Marshal(fields)
		if err != nil {
			h.t.Fatal(err)
		}
		return string(text)
	}
	bearer, sns := "Bearer "+h.world.Token, "Notification"
	for _, r := range []struct{ path, auth, kind, body string }{
		{sms, bearer, "", ""}, {sms, bearer, "", name + mail},
		{sms, bearer, "", `{"source_number":"` + number + `","destination_number":"07537417417","message":{"x":"` + name + `"}}`},
		{sms, bearer, "", `{"source_number":` + number[1:] + `,"destination_number":"` + mail + `","message":"` + name + `"}`},
		{sms, bearer, "", `{"source_number":"` + number + `","` + mail + `":"` + name + `"}`},
		{sms, bearer, "", `{"source_number":"` + number + `","destination_number":"","message":"` + name + strings.Repeat("x", 600<<10) + `"}`},
		{sms, "Bearer " + mail + number, "", name}, {sms, name, "", name}, {sms, "", "", name},
		{"/user-signup/delivery-receipt/notify", bearer, "", `{"id":"` + mail + `","status":"` + name + `","to":"` + number + `"}`},
		{sms + "/" + mail + "/" + number, bearer, "", name}, {"/" + mail + "?to=" + mail, "", "", name}, {"/%2B" + number[1:], "", "", ""},
		{email, "", mail, name}, {email, "", name, name}, {email, "", "", name}, {email, "", sns, name + mail},
		{email, "", sns, notification(map[string]any{})},
		{email, "", sns, notification(map[string]any{"TopicArn": "arn:aws:sns:eu-west-1:123456789012:" + mail})},
		{email, "", sns, notification(map[string]any{"SigningCertURL": "https://" + mail + "/x.pem"})},
		{email, "", sns, notification(map[string]any{"SigningCertURL": "https://sns.eu-west-1.amazonaws.com/" + mail + ".pem?" + number})},
		{email, "", sns, notification(map[string]any{"Timestamp": mail})},
		{email, "", sns, notification(map[string]any{"SignatureVersion": number})},
		{email, "", sns, notification(map[string]any{"Message": map[string]string{name: mail}})},
		{email, "", "SubscriptionConfirmation", notification(map[string]any{"Type": "SubscriptionConfirmation", "Token": name, "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?" + mail})},
		{email, "", "UnsubscribeConfirmation", notification(map[string]any{"Type": mail})},
	} {
		request, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.world.Ingest+r.path, strings.NewReader(r.body))
		if err != nil {
			h.t.Fatal(err)
		}
		for key, value := range map[string]string{"Authorization": r.auth, "X-Amz-Sns-Message-Type": r.kind, "User-Agent": mail, "Referer": "https://x/?" + number,
			"X-Amzn-Trace-Id": "Root=" + mail, "X-Forwarded-For": number, "X-Request-Id": number} {
			request.Header.Set(key, value)
		}
		h.ask(request)
	}
	// Signed, but with a From that holds no address.
	if status, err := h.world.Deliver(h.t.Context(), h.mail(name+" <"+number+">", signup, "")); status != 400 || err != nil {
		h.t.Errorf("answered %d, %v", status, err)
	}
}

// ask writes an answer down.
func (h *privateHouse) ask(request *http.Request) {
	h.t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	fmt.Fprintf(&h.answers, "%s %v %s\n", response.Status, response.Header, body)
}

// strangeJobs are those of another release, and one whose payload cannot be read.
func (h *privateHouse) strangeJobs() {
	h.t.Helper()
	h.secrets.hide("Bartholomew Bumblethorpe", "bumble.thorpe@dept.gov.uk")
	rdb := h.rdb()
	jobs := queue.NewClient(rdb, h.seal.Sealer)
	for _, j := range []stranger{{"of-another-release", "strange-1", ""}, {"signup-sms", "strange-2", ""}} {
		j.Text = "Bartholomew Bumblethorpe <bumble.thorpe@dept.gov.uk>"
		if err := jobs.Enqueue(h.t.Context(), j); err != nil {
			h.t.Fatal(err)
		}
		h.keys = append(h.keys, j.key)
	}
}

// look reads what the admin listeners and the health check say.
func (h *privateHouse) look() {
	h.t.Helper()
	addresses := []string{h.world.Ingest + "/healthcheck"}
	for _, admin := range h.admins {
		for _, path := range []string{"/metrics", "/readyz", "/livez"} {
			addresses = append(addresses, "http://"+admin+path)
		}
	}
	for _, address := range addresses {
		request, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, address, nil)
		if err != nil {
			h.t.Fatal(err)
		}
		h.ask(request)
	}
}

// hideCredentials adds what was made meanwhile.
func (h *privateHouse) hideCredentials() {
	h.t.Helper()
	rows, err := h.db.QueryContext(h.t.Context(), "SELECT username, password FROM userdetails")
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var username, password string
		if err := rows.Scan(&username, &password); err != nil {
			h.t.Fatal(err)
		}
		// Six letters turn up in base64 by chance, but hardly in this case.
		h.secrets.hide(password)
		h.secrets[username] = username
	}
	if err := rows.Err(); err != nil {
		h.t.Fatal(err)
	}
}

func (h *privateHouse) search(where, text string) {
	h.t.Helper()
	if len(text) < 1000 {
		h.t.Errorf("%s: only %d bytes", where, len(text))
	}
	for _, find := range h.secrets.found(text) {
		h.t.Errorf("%s holds %s", where, find)
	}
}

// happened makes sure that the journeys were those that were meant.
func (h *privateHouse) happened() {
	h.t.Helper()
	log := h.log.String()
	for what, n := range map[string]int{
		"outcome=done": 12, "outcome=retry": 5, "outcome=archived": 2, "an event needs nothing": 3, "repeats themselves": 1, "a guest is refused": 3,
		`reason="DMARC failed"`: 2, "not on the allow-list": 1, "names no guest": 1, "no handler for a job": 1, "status=400": 8, "status=401": 3, "status=403": 2, "status=413": 1,
		"Duplicate entry '": 2, "***@d***.gov.uk": 2, "+4477*****": 5,
	} {
		if got := strings.Count(log, what); got < n {
			h.t.Errorf("the log holds %d × %s, want %d and more", got, what, n)
		}
	}
	if h.t.Failed() {
		h.t.Logf("log:\n%s", log)
	}
}
