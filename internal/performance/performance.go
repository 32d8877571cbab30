// Package performance speaks the Performance Platform's HTTP protocol (docs/facts.md,
// F3). Records have ids made from what they are about, and the platform overwrites a
// record with the same id: sending statistics again is safe.
package performance

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// Config says where statistics are sent.
type Config struct {
	// URL is PERFORMANCE_URL: the platform's base, such as
	// https://www.performance.service.gov.uk/. Empty means nowhere. It is used as it
	// is written; GovWifi's Ruby service went to port 443 whatever it said.
	URL string
	// Dataset is PERFORMANCE_DATASET, a part of the path and of every record's id.
	Dataset string
	// BearerVolumetrics and BearerCompletionRate are the tokens for the two metrics.
	// They appear in no error.
	BearerVolumetrics, BearerCompletionRate string
}

// timeout bounds a request: the platform stores a handful of records.
const timeout = 30 * time.Second

// quoted is how much of a refusal an error repeats, in bytes.
const quoted = 1000

// Client sends statistics. It is safe for concurrent use.
type Client struct {
	config Config
	http   *http.Client
}

// New checks the configuration; it makes no request. It fails where a URL is given and
// anything else is missing.
func New(c Config) (*Client, error) {
	if c.URL != "" {
		u, err := url.Parse(c.URL)
		if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || (u.Scheme != "https" && u.Scheme != "http") {
			return nil, errors.New("PERFORMANCE_URL is not of the form https://host/")
		}
		if c.Dataset == "" || c.BearerVolumetrics == "" || c.BearerCompletionRate == "" {
			return nil, errors.New("with PERFORMANCE_URL, set PERFORMANCE_DATASET, PERFORMANCE_BEARER_VOLUMETRICS and PERFORMANCE_BEARER_COMPLETION_RATE too")
		}
		c.URL = strings.TrimRight(c.URL, "/") + "/"
	}
	// A redirect would turn the POST into a GET and take the token elsewhere.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{c, &http.Client{Timeout: timeout, CheckRedirect: stay}}, nil
}

// Configured says whether there is a platform to send to.
func (c *Client) Configured() bool { return c.config.URL != "" }

// volumetricsRecord has its fields in the order of the protocol.
type volumetricsRecord struct {
	ID              string         `json:"_id"`
	Timestamp       string         `json:"_timestamp"`
	DataType        string         `json:"dataType"`
	Period          govwifi.Period `json:"period"`
	Channel         string         `json:"channel"`
	Count           int            `json:"count"`
	CumulativeCount int            `json:"cumulative_count"`
}

// SendVolumetrics sends a record for each channel, dated the day before the given one.
func (c *Client) SendVolumetrics(ctx context.Context, day time.Time, v govwifi.Volumetrics) error {
	at := timestamp(govwifi.DaysBefore(day, 1))
	record := func(channel string, count, cumulative int) volumetricsRecord {
		return volumetricsRecord{c.id(at, v.Period, v.MetricName, channel), at, v.MetricName, v.Period, channel, count, cumulative}
	}
	return c.post(ctx, v.MetricName, c.config.BearerVolumetrics, []volumetricsRecord{
		record("all-sign-ups", v.PeriodBefore, v.Cumulative),
		record("sms-sign-ups", v.SMSPeriodBefore, v.SMSCumulative),
		record("email-sign-ups", v.EmailPeriodBefore, v.EmailCumulative),
		record("sponsor-sign-ups", v.SponsoredPeriodBefore, v.SponsoredCumulative),
	})
}

// completionRecord has its fields in the order of the protocol.
type completionRecord struct {
	ID        string         `json:"_id"`
	Timestamp string         `json:"_timestamp"`
	DataType  string         `json:"dataType"`
	Period    govwifi.Period `json:"period"`
	Channel   string         `json:"channel"`
	Stage     string         `json:"stage"`
	Count     int            `json:"count"`
}

// SendCompletionRate sends a record for each channel and stage, dated the given day.
func (c *Client) SendCompletionRate(ctx context.Context, day time.Time, r govwifi.CompletionRate) error {
	at := timestamp(day)
	record := func(channel, stage string, count int) completionRecord {
		return completionRecord{c.id(at, r.Period, r.MetricName, stage, channel), at, r.MetricName, r.Period, channel, stage, count}
	}
	return c.post(ctx, r.MetricName, c.config.BearerCompletionRate, []completionRecord{
		record("sms", "start", r.SMSRegistered), record("sms", "complete", r.SMSLoggedIn),
		record("email", "start", r.EmailRegistered), record("email", "complete", r.EmailLoggedIn),
		record("sponsor", "start", r.SponsorRegistered), record("sponsor", "complete", r.SponsorLoggedIn),
	})
}

func timestamp(day time.Time) string { return day.Format(time.DateOnly) + "T00:00:00+00:00" }

// id names what a record is about: the same however often it is sent.
func (c *Client) id(at string, p govwifi.Period, parts ...string) string {
	return base64.StdEncoding.EncodeToString([]byte(at + c.config.Dataset + string(p) + strings.Join(parts, "")))
}

// post sends one metric's records. Only 200 is a success; nothing is tried again, which
// is left to the queue.
func (c *Client) post(ctx context.Context, metric, bearer string, records any) error {
	body, err := json.Marshal(records)
	if err != nil {
		return fmt.Errorf("encode %s: %w", metric, err)
	}
	target := c.config.URL + "data/" + url.PathEscape(c.config.Dataset) + "/" + metric
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("send %s to the Performance Platform: %w", metric, err)
	}
	request.Header.Set("Authorization", "Bearer "+bearer)
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("send %s to the Performance Platform: %w", metric, err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, _ := io.ReadAll(io.LimitReader(response.Body, quoted))
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("send %s to the Performance Platform: %d - %s", metric, response.StatusCode, govwifi.Mask(string(answer)))
	}
	return nil
}
