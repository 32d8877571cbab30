package notifytest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// placeholder is ((name)) in a template's subject or body.
var placeholder = regexp.MustCompile(`\(\(([^()]+)\)\)`)

var notInKeys = strings.NewReplacer(" ", "", "_", "", "-", "")

// sameKey makes names comparable as Notify does: without case, spaces, _ and -.
func sameKey(name string) string { return notInKeys.Replace(strings.ToLower(name)) }

// rendering is a template with its personalisation filled in.
type rendering struct{ subject, body string }

// render fills in both parts, or names the placeholders that have no value; null is
// no value, "" is one.
func render(t liveTemplate, personalisation map[string]any) (rendering, *refusal) {
	values := map[string]string{}
	for name, value := range personalisation {
		if value != nil {
			values[sameKey(name)] = valueText(value, t.Type)
		}
	}
	var missing []string
	fill := func(text string) string {
		return placeholder.ReplaceAllStringFunc(text, func(found string) string {
			name := found[2 : len(found)-2]
			value, ok := values[sameKey(name)]
			if !ok && !slices.Contains(missing, name) {
				missing = append(missing, name)
			}
			return value
		})
	}
	r := rendering{subject: fill(t.Subject), body: fill(t.Body)}
	if missing != nil {
		return rendering{}, badRequest("Missing personalisation: " + strings.Join(missing, ", "))
	}
	return r, nil
}

// valueText is a value as it stands in a message. A list is a bulleted block in an
// email and "a, b and c" in a text; its null and blank items are dropped.
func valueText(value any, kind string) string {
	list, ok := value.([]any)
	if !ok {
		return scalarText(value)
	}
	var items []string
	for _, item := range list {
		if text := scalarText(item); item != nil && strings.TrimSpace(text) != "" {
			items = append(items, text)
		}
	}
	switch {
	case len(items) == 0:
		return ""
	case kind == typeEmail:
		return "\n\n* " + strings.Join(items, "\n* ")
	case len(items) == 1:
		return items[0]
	}
	last := len(items) - 1
	return strings.Join(items[:last], ", ") + " and " + items[last]
}

func scalarText(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case json.Number:
		return value.String()
	}
	return fmt.Sprint(value)
}
