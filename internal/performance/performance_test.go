package performance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/performance"
)

const (
	volumetricsToken = "volumetrics-token"
	completionToken  = "completion-token"
)

// backdrop answers as the platform did (docs/facts.md, F3), and keeps what it took.
type backdrop struct {
	t     *testing.T
	taken []string
}

func (b *backdrop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	tokens := map[string]string{"/data/gov-wifi/volumetrics": volumetricsToken, "/data/gov-wifi/completion-rate": completionToken}
	token, known := tokens[r.URL.Path]
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		b.t.Error(err)
	case r.Method != http.MethodPost:
		w.WriteHeader(http.StatusMethodNotAllowed)
	case !known:
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"status":"error","message":"No bucket found for jo@dept.gov.uk"}`)
	case r.Header.Get("Authorization") != "Bearer "+token:
		w.Header().Set("WWW-Authenticate", "bearer")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"status":"error","message":"expected header of form: Authorization: Bearer <token>"}`)
	case r.Header.Get("Content-Type") != "application/json" || faulty(body) != "":
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"messages":[%q]}`, faulty(body))
	default:
		b.taken = append(b.taken, string(body))
		_, _ = io.WriteString(w, `{"status":"ok"}`)
	}
}

// faulty says what backdrop would refuse in the records.
func faulty(body []byte) string {
	var records []map[string]any
	if err := json.Unmarshal(body, &records); err != nil {
		return "not a list of objects"
	}
	for _, r := range records {
		id, _ := r["_id"].(string)
		at, _ := r["_timestamp"].(string)
		if id == "" || strings.ContainsAny(id, " \t\r\n") {
			return "_id is not a valid id"
		}
		if _, err := time.Parse("2006-01-02T15:04:05-07:00", at); err != nil {
			return "_timestamp is not a valid timestamp"
		}
	}
	return ""
}

func setup(t *testing.T) (*backdrop, performance.Config) {
	t.Helper()
	b := &backdrop{t: t}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	return b, performance.Config{URL: server.URL + "/", Dataset: "gov-wifi", BearerVolumetrics: volumetricsToken, BearerCompletionRate: completionToken}
}

func client(t *testing.T, c performance.Config) *performance.Client {
	t.Helper()
	made, err := performance.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// The numbers of docs/facts.md, F2.
var (
	volumetrics = govwifi.Volumetrics{Period: govwifi.Day, MetricName: govwifi.VolumetricsMetric, PeriodBefore: 12, Cumulative: 24,
		SMSPeriodBefore: 2, SMSCumulative: 3, EmailPeriodBefore: 10, EmailCumulative: 21, SponsoredPeriodBefore: 7, SponsoredCumulative: 9}
	completion = govwifi.CompletionRate{Period: govwifi.Week, MetricName: govwifi.CompletionRateMetric, SMSRegistered: 4, SMSLoggedIn: 2,
		EmailRegistered: 2, EmailLoggedIn: 1, SponsorRegistered: 2, SponsorLoggedIn: 1}
	september = time.Date(2020, 9, 24, 0, 0, 0, 0, time.UTC)
)

// golden is a worked example of docs/facts.md, F3, without its line breaks.
func golden(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		t.Fatal(err)
	}
	return compact.String()
}

func TestWorkedExamples(t *testing.T) {
	t.Parallel()
	b, config := setup(t)
	// The slash at the end may be missing.
	config.URL = strings.TrimSuffix(config.URL, "/")
	c := client(t, config)
	if err := c.SendVolumetrics(t.Context(), september, volumetrics); err != nil {
		t.Fatal(err)
	}
	if err := c.SendCompletionRate(t.Context(), september, completion); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"volumetrics-day-2020-09-24.json", "completion-rate-week-2020-09-24.json"} {
		if want := golden(t, name); b.taken[i] != want {
			t.Errorf("%s: sent\n%s\nwant\n%s", name, b.taken[i], want)
		}
	}
}

// The ids that the Ruby service's own specs expect.
func TestIDs(t *testing.T) {
	t.Parallel()
	b, config := setup(t)
	c := client(t, config)
	april := time.Date(2018, 4, 4, 0, 0, 0, 0, time.UTC)
	if err := c.SendVolumetrics(t.Context(), april, volumetrics); err != nil {
		t.Fatal(err)
	}
	if err := c.SendCompletionRate(t.Context(), april, completion); err != nil {
		t.Fatal(err)
	}
	for i, id := range []string{
		"MjAxOC0wNC0wM1QwMDowMDowMCswMDowMGdvdi13aWZpZGF5dm9sdW1ldHJpY3NhbGwtc2lnbi11cHM=",
		"MjAxOC0wNC0wNFQwMDowMDowMCswMDowMGdvdi13aWZpd2Vla2NvbXBsZXRpb24tcmF0ZXN0YXJ0c21z",
	} {
		if !strings.HasPrefix(b.taken[i], `[{"_id":"`+id+`",`) {
			t.Errorf("sent %s, want first id %s", b.taken[i], id)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	moved := httptest.NewServer(http.RedirectHandler("https://example.com/", http.StatusTemporaryRedirect))
	t.Cleanup(moved.Close)
	created := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }))
	t.Cleanup(created.Close)
	for name, c := range map[string]struct {
		change func(*performance.Config)
		want   string
	}{
		"wrong token":      {func(c *performance.Config) { c.BearerVolumetrics = completionToken }, `401 - {"status":"error","message":"expected header`},
		"unknown data set": {func(c *performance.Config) { c.Dataset = "other" }, `404 - {"status":"error","message":"No bucket found for j***@d***.gov.uk"}`},
		"redirect":         {func(c *performance.Config) { c.URL = moved.URL }, "307 - "},
		"201":              {func(c *performance.Config) { c.URL = created.URL }, "201 - "},
		"nobody there":     {func(c *performance.Config) { c.URL = "http://127.0.0.1:1/" }, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, config := setup(t)
			c.change(&config)
			err := client(t, config).SendVolumetrics(t.Context(), september, volumetrics)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "-token") || len(b.taken) > 0 {
				t.Errorf("%v, want %q; taken %q", err, c.want, b.taken)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	if client(t, performance.Config{Dataset: "gov-wifi"}).Configured() {
		t.Error("it is configured without a URL")
	}
	_, whole := setup(t)
	if !client(t, whole).Configured() {
		t.Error("it is not configured")
	}
	for name, change := range map[string]func(*performance.Config){
		"no data set": func(c *performance.Config) { c.Dataset = "" },
		"no token":    func(c *performance.Config) { c.BearerVolumetrics = "" },
		"other token": func(c *performance.Config) { c.BearerCompletionRate = "" },
		"no scheme":   func(c *performance.Config) { c.URL = "www.performance.service.gov.uk" },
		"no host":     func(c *performance.Config) { c.URL = "https:///data" },
		"a password":  func(c *performance.Config) { c.URL = "https://u:secret@host/" },
	} {
		c := whole
		change(&c)
		if _, err := performance.New(c); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
