package notifytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
)

// maxReference is the longest reference that Notify takes, in characters.
const maxReference = 1000

// fields is a request's body. A field that is present may be nil, which is not the
// same as absent.
type fields map[string]any

func (f fields) text(name string) string {
	text, _ := f[name].(string)
	return text
}

// rule is one property of a request: what it must be if it is there. Check returns
// what is wrong, without the name of the field, or "".
type rule struct {
	name     string
	required bool
	check    func(value any) string
}

var commonRules = []rule{
	{"template_id", true, isUUID},
	{"personalisation", false, isObject},
	{"reference", false, isReference},
	{"scheduled_for", false, anything},
}

var emailRules = append([]rule{
	{"email_address", true, isEmailAddress},
	{"email_reply_to_id", false, isUUID},
	{"one_click_unsubscribe_url", false, isHTTPS},
	{"sanitise_content_for", false, isListOrNull},
}, commonRules...)

// smsRules leave the number that they find good in *number: to parse it is the dearest
// part of judging a text, so it is done once.
func smsRules(number **phonenumbers.PhoneNumber) []rule {
	isPhoneNumber := func(text string) (complaint string) {
		*number, complaint = parsePhone(text)
		return complaint
	}
	return append([]rule{
		{"phone_number", true, func(value any) string { return asText(value, isPhoneNumber) }},
		{"sms_sender_id", false, isUUID},
	}, commonRules...)
}

// decode reads the body whatever its content type says, as Notify does.
func decode(body []byte) (fields, *refusal) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil || decoder.More() {
		return nil, badRequest("Invalid JSON supplied in POST data")
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, refuse(http.StatusBadRequest, "ValidationError", fmt.Sprintf("%v is not of type object", value))
	}
	return object, nil
}

// validate checks the body against a schema and reports all that is wrong at once.
func validate(body fields, rules []rule) *refusal {
	var messages []string
	for _, rule := range rules {
		value, present := body[rule.name]
		switch {
		case !present && rule.required:
			messages = append(messages, rule.name+" is a required property")
		case present:
			if wrong := rule.check(value); wrong != "" {
				messages = append(messages, rule.name+" "+wrong)
			}
		}
	}
	if unexpected := unknownNames(body, rules); unexpected != nil {
		verb := "was"
		if len(unexpected) > 1 {
			verb = "were"
		}
		messages = append(messages, fmt.Sprintf("Additional properties are not allowed (%s %s unexpected)", strings.Join(unexpected, ", "), verb))
	}
	if messages == nil {
		return nil
	}
	return refuse(http.StatusBadRequest, "ValidationError", messages...)
}

func unknownNames(body fields, rules []rule) []string {
	var names []string
	for name := range body {
		if !slices.ContainsFunc(rules, func(r rule) bool { return r.name == name }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func anything(any) string { return "" }

// asText runs a check that is for strings only.
func asText(value any, check func(string) string) string {
	text, ok := value.(string)
	if !ok {
		return fmt.Sprintf("%v is not of type string", python(value))
	}
	return check(text)
}

// python prints null as Notify does.
func python(value any) any {
	if value == nil {
		return "None"
	}
	return value
}

func isUUID(value any) string {
	if text, ok := value.(string); !ok || !isUUIDText(text) {
		return "is not a valid UUID"
	}
	return ""
}

func isObject(value any) string {
	if _, ok := value.(map[string]any); !ok {
		return fmt.Sprintf("%v is not of type object", python(value))
	}
	return ""
}

func isReference(value any) string {
	return asText(value, func(text string) string {
		if utf8.RuneCountInString(text) > maxReference {
			return text + " is too long"
		}
		return ""
	})
}

func isHTTPS(value any) string {
	return asText(value, func(text string) string {
		if !strings.HasPrefix(text, "https://") {
			return "is not a valid https url"
		}
		return ""
	})
}

func isListOrNull(value any) string {
	if _, ok := value.([]any); !ok && value != nil {
		return fmt.Sprintf("%v is not of type array, null", value)
	}
	return ""
}

func isEmailAddress(value any) string { return asText(value, checkEmailAddress) }
