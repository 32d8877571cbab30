package govwifi

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// AllowList decides which email addresses may sign up by themselves and sponsor
// guests. The zero value allows nobody.
type AllowList struct{ pattern *regexp.Regexp }

// ErrAllowListEmpty guards against the pattern that matches everyone.
var ErrAllowListEmpty = errors.New("the allow-list is empty")

// ParseAllowList compiles the admin application's one regular expression. It is
// matched without regard to case on the whole text: unlike Ruby's, Go's ^ and $
// are no line anchors, which closes the hole of "x@evil.com\na@gov.uk". Empty or
// uncompilable is an error, never "everyone".
func ParseAllowList(text string) (AllowList, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return AllowList{}, ErrAllowListEmpty
	}
	if _, err := regexp.Compile(text); err != nil {
		return AllowList{}, fmt.Errorf("compile the allow-list: %w", err)
	}
	pattern, err := regexp.Compile(`(?i)\A(?:` + text + `)\z`)
	if err != nil {
		return AllowList{}, fmt.Errorf("compile the allow-list: %w", err)
	}
	return AllowList{pattern}, nil
}

// Allows says whether the address is on the list.
func (l AllowList) Allows(c Contact) bool {
	return l.pattern != nil && l.pattern.MatchString(string(c))
}
