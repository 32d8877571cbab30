package ingest

import (
	"encoding/json"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/sns"
)

// inboundText is what GOV.UK Notify posts for each text that it receives
// (docs/facts.md, B1).
type inboundText struct {
	id                           json.RawMessage
	source, destination, message string
}

// readText takes each field under its exact name: for a struct with tags, encoding/json
// would take "Message" for "message" too, and the last of the two would count.
func readText(body []byte) (inboundText, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil || sns.TooDeep(body) {
		return inboundText{}, badRequest("the body is no JSON object with texts in source_number, destination_number and message")
	}
	in := inboundText{id: fields["id"]}
	for name, value := range map[string]*string{"source_number": &in.source, "destination_number": &in.destination, "message": &in.message} {
		var text *string // nil tells null from an empty text
		if json.Unmarshal(fields[name], &text) != nil || text == nil {
			return inboundText{}, badRequest("source_number, destination_number and message must be there, as texts")
		}
		*value = *text
	}
	return in, nil
}

// sms takes a text from GOV.UK Notify.
func (d *Door) sms(c echo.Context, text []byte) error {
	in, err := readText(text)
	if err != nil {
		return err
	}
	answer, nothing := job.AnswerTo(job.Text{
		MessageID: textKey(in.id), Number: in.source, Destination: in.destination,
		Text: in.message, ReceivedAt: d.Now().UTC(),
	})
	if nothing != "" {
		return d.ignore(c, nothing)
	}
	return d.accept(c, answer)
}

// textKey is Notify's id, the same on every retry. A text without one is always
// new: some of GovWifi's own tools send none.
func textKey(id json.RawMessage) string {
	var text string
	switch {
	case len(id) == 0 || string(id) == "null" || string(id) == `""`:
		return uuid.NewString()
	case json.Unmarshal(id, &text) == nil:
		return job.EventKey(text)
	}
	return job.EventKey(string(id))
}
