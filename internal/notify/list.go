package notify

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// Query selects notifications; the zero value is the newest page of all.
type Query struct {
	// Reference is the exact reference; empty for any.
	Reference string
	// OlderThan is the id of the last notification of the page before; empty for
	// the newest page.
	OlderThan string
}

// Notification is a message that Notify has, as the notifications table keeps it.
type Notification struct {
	ID           string `json:"id"`
	Reference    string `json:"reference"`
	EmailAddress string `json:"email_address"`
	PhoneNumber  string `json:"phone_number"`
	// Type is email, sms or letter.
	Type     string `json:"type"`
	Status   string `json:"status"`
	Template struct {
		ID      string `json:"id"`
		Version int    `json:"version"`
		URI     string `json:"uri"`
	} `json:"template"`
	// Body may hold credentials: it is never logged, and masked before it is stored.
	Body      string    `json:"body"`
	Subject   string    `json:"subject"`
	CreatedAt time.Time `json:"created_at"`
	// SentAt and CompletedAt are zero until they happen.
	SentAt      time.Time `json:"sent_at"`
	CompletedAt time.Time `json:"completed_at"`
}

// ReceivedText is a text that somebody sent to the service's number.
type ReceivedText struct {
	// ID is the same as in the webhook of this text.
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"created_at"`
	// NotifyNumber is the service's number; UserNumber the sender as Notify has it,
	// most often digits without a +.
	NotifyNumber string `json:"notify_number"`
	UserNumber   string `json:"user_number"`
	Content      string `json:"content"`
}

// ListNotifications returns one page of at most 250, newest first. Only an empty
// page is the last: ask again with the last id as OlderThan. Notify keeps messages
// for 7 days, and shows those that were sent with a key of the same type as ours.
func (c *Client) ListNotifications(ctx context.Context, q Query) ([]Notification, error) {
	var page struct {
		Notifications []Notification `json:"notifications"`
	}
	call := call{endpoint: endpointNotifications, path: "/v2/notifications", query: url.Values{}}
	setIfAny(call.query, "reference", q.Reference)
	setIfAny(call.query, "older_than", q.OlderThan)
	if err := c.get(ctx, call, &page); err != nil {
		return nil, fmt.Errorf("list the notifications: %w", err)
	}
	return page.Notifications, nil
}

// ReceivedTexts returns one page of at most 250 of the last 7 days' texts, newest
// first; olderThan and the end are as in ListNotifications.
func (c *Client) ReceivedTexts(ctx context.Context, olderThan string) ([]ReceivedText, error) {
	var page struct {
		Texts []ReceivedText `json:"received_text_messages"`
	}
	call := call{endpoint: endpointReceivedTexts, path: "/v2/received-text-messages", query: url.Values{}}
	setIfAny(call.query, "older_than", olderThan)
	if err := c.get(ctx, call, &page); err != nil {
		return nil, fmt.Errorf("list the received texts: %w", err)
	}
	return page.Texts, nil
}

// Sent says whether Notify has a message with this reference. What it has accepted
// shows at once. It cannot know messages to Notify's own smoke-test recipients
// (07700 900000, 900111, 900222), which are never stored, nor any after 7 days.
//
// GovWifi's acceptance tests put notify-pit in Notify's place, which has no list of
// messages (docs/facts.md, A11): of it no message is known, or a retried job would wait
// for ever. Any other 404 is an error.
func (c *Client) Sent(ctx context.Context, reference string) (bool, error) {
	if reference == "" {
		return false, errors.New("look for a message: its reference is empty")
	}
	var page struct {
		Notifications []struct {
			Reference string `json:"reference"`
		} `json:"notifications"`
	}
	call := call{endpoint: endpointNotifications, path: "/v2/notifications", query: url.Values{"reference": {reference}}}
	err := c.get(ctx, call, &page)
	var refused *answerError
	switch {
	case errors.As(err, &refused) && refused.noRoute:
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look for a message: %w", err)
	}
	// Compared again: a server that ignores the filter must not make us believe
	// that a message which was never sent has gone.
	for _, found := range page.Notifications {
		if found.Reference == reference {
			return true, nil
		}
	}
	return false, nil
}

func setIfAny(query url.Values, name, value string) {
	if value != "" {
		query.Set(name, value)
	}
}
