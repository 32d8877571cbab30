package sns

import (
	"encoding/json"
	"fmt"
	"strings"
)

// maxDepth is how deep objects and lists may nest. SES needs five levels;
// encoding/json would follow ten thousand.
const maxDepth = 32

// object is a JSON object whose values are not decoded yet. A struct with tags
// would match keys without regard to case, so that "message" could stand in for
// the "Message" that another reader of the same text sees.
type object map[string]json.RawMessage

// parseObject fails with ErrMalformed if the text is not one JSON object, or too deep.
func parseObject(text []byte) (object, error) {
	if TooDeep(text) {
		return nil, fmt.Errorf("%w: its JSON nests too deeply", ErrMalformed)
	}
	var o object
	if err := json.Unmarshal(text, &o); err != nil || o == nil {
		return nil, fmt.Errorf("%w: it is not a JSON object", ErrMalformed)
	}
	return o, nil
}

// optional gives the string under the key, nil if it is absent or null. Another
// type is ErrMalformed.
func (o object) optional(key string) (*string, error) {
	raw, ok := o[key]
	if !ok {
		return nil, nil
	}
	var text *string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, fmt.Errorf("%w: %s is not a string", ErrMalformed, key)
	}
	return text, nil
}

// text gives the string under the key, or "" for whatever else is there.
func (o object) text(key string) string {
	text, err := o.optional(key)
	if err != nil || text == nil {
		return ""
	}
	return *text
}

// texts gives the list of strings under the key, or nil for whatever else is there.
func (o object) texts(key string) []string {
	var list []string
	if err := json.Unmarshal(o[key], &list); err != nil {
		return nil
	}
	return list
}

// object gives the object under the key, empty for whatever else is there.
func (o object) object(key string) object {
	var inner object
	if err := json.Unmarshal(o[key], &inner); err != nil {
		return nil
	}
	return inner
}

// headers gives the values of all headers of that name in SES's list of them.
func (o object) headers(name string) []string {
	var list []struct{ Name, Value string }
	_ = json.Unmarshal(o["headers"], &list) // what is odd in it is empty
	var values []string
	for _, header := range list {
		if strings.EqualFold(header.Name, name) {
			values = append(values, header.Value)
		}
	}
	return values
}

// TooDeep says whether JSON nests deeper than anything that AWS or GOV.UK Notify sends.
// It looks at brackets outside strings only; whether the text is JSON at all is for the
// decoder to say.
func TooDeep(text []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch b := text[i]; {
		case quoted && b == '\\':
			i++
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '{' || b == '[':
			depth++
			if depth > maxDepth {
				return true
			}
		case b == '}' || b == ']':
			depth--
		}
	}
	return false
}
