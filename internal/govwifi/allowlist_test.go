package govwifi

import (
	"errors"
	"testing"
)

const usualAllowList = `^[A-Za-z0-9\_\+\.'-]+@([a-zA-Z0-9-]+\.)*(gov\.uk|police\.uk)$`

func TestAllowList(t *testing.T) {
	t.Parallel()
	list, err := ParseAllowList(usualAllowList + "\n")
	if err != nil {
		t.Fatal(err)
	}
	for c, want := range map[Contact]bool{
		"jo@gov.uk":                   true,
		"jo@dept.gov.uk":              true,
		"jo@a.b.police.uk":            true,
		"JO@DEPT.GOV.UK":              true,
		"o'brien+x.y_z-1@dept.gov.uk": true,
		"jo@x.com":                    false,
		"jo@evilgov.uk":               false,
		"jo@gov.uk.evil.com":          false,
		"jo@govxuk":                   false,
		"jo@dept.gov.uk\n":            false,
		"x@evil.com\njo@gov.uk":       false,
		"jo@gov.uk\nx@evil.com":       false,
		"x@evil.com jo@gov.uk":        false,
		"jo@evil.com@gov.uk":          false,
		"jöhn@gov.uk":                 false,
		"@gov.uk":                     false,
		"":                            false,
		"+447700900123":               false,
	} {
		if got := list.Allows(c); got != want {
			t.Errorf("%q: %v", string(c), got)
		}
	}
}

// Whatever the pattern's own flags and alternatives, it is matched on the whole text.
func TestAllowListMatchesTheWhole(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{`jo@gov\.uk`, `(?m)^jo@gov\.uk$`, `(?m)jo@gov\.uk$`, `a@gov\.uk|jo@gov\.uk`, `^a@gov\.uk$|^jo@gov\.uk$`, `(?-i)jo@gov\.uk`, `(?s)jo@gov\.uk`} {
		list, err := ParseAllowList(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if !list.Allows("jo@gov.uk") {
			t.Errorf("%s does not allow its own", pattern)
		}
		for _, c := range []Contact{"x@evil.com\njo@gov.uk", "jo@gov.uk\nx@evil.com", "jo@gov.uk.evil.com", "evil-jo@gov.uk", "jo@govxuk", ""} {
			if list.Allows(c) {
				t.Errorf("%s allows %q", pattern, string(c))
			}
		}
	}
}

// An empty or broken pattern is an error, never "everyone" and never a panic.
func TestBadAllowList(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"", " ", "\r\n"} {
		if list, err := ParseAllowList(pattern); !errors.Is(err, ErrAllowListEmpty) || list.Allows("jo@gov.uk") {
			t.Errorf("%q: %v", pattern, err)
		}
	}
	for _, pattern := range []string{"(", `a)|(.*`, `a)(?:.*`, "[", "*", `(?<=a)b`, `a{9999}`} {
		if list, err := ParseAllowList(pattern); err == nil || list.Allows("jo@gov.uk") {
			t.Errorf("%q: %v", pattern, err)
		}
	}
	if (AllowList{}).Allows("jo@gov.uk") {
		t.Error("the zero value allows somebody")
	}
}
