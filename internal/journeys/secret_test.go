package journeys

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// secrets is what must not be found anywhere: each form of a secret by the secret.
type secrets map[string]string

// hide adds texts, in every form in which they may be written down.
func (s secrets) hide(texts ...string) {
	for _, text := range texts {
		quoted, err := json.Marshal(text)
		if err != nil {
			panic(err)
		}
		for _, form := range append(base64Forms(text), text, url.QueryEscape(text), url.PathEscape(text),
			hex.EncodeToString([]byte(text)), strings.Trim(string(quoted), `"`)) {
			s[form] = text
		}
	}
}

// hideContact adds an address with its parts, or a number of E.164 in its spellings.
func (s secrets) hideContact(contacts ...string) {
	for _, c := range contacts {
		s.hide(c)
		if local, domain, ok := strings.Cut(c, "@"); ok {
			s.hide(local)
			if label, _, _ := strings.Cut(domain, "."); label != "dept" && label != "example" {
				s.hide(label)
			}
			continue
		}
		s.hide(strings.TrimPrefix(c, "+44"), strings.TrimPrefix(c, "+447")[:3]+" "+strings.TrimPrefix(c, "+447")[3:])
	}
}

// base64Forms is the text in base64, wherever in a longer text it begins; without the
// characters at its ends, which depend on its neighbours.
func base64Forms(text string) []string {
	var forms []string
	for shift := range 3 {
		padded := append(make([]byte, shift), text...)
		encoded := base64.RawStdEncoding.EncodeToString(padded[:len(padded)/3*3])
		forms = append(forms, encoded[min((shift*8+5)/6, len(encoded)):])
	}
	return forms
}

// found lists the secrets in a text, with what stands around them. Forms of under 5
// characters are left out: they are found by chance.
func (s secrets) found(text string) []string {
	lower := strings.ToLower(text)
	var finds []string
	for form, secret := range s {
		at := -1
		switch {
		case len(form) < 5:
		case strings.ToLower(form) == form || form == secret:
			at = strings.Index(lower, strings.ToLower(form))
		default: // base64
			at = strings.Index(text, form)
		}
		if at >= 0 {
			finds = append(finds, secret+" in …"+strings.ToValidUTF8(text[max(0, at-150):min(len(text), at+len(form)+150)], "?")+"…")
		}
	}
	slices.Sort(finds)
	return finds
}

// dump reads every key of a Redis, whatever its type, with all its values.
func dump(t *testing.T, address string) string {
	t.Helper()
	options, err := redis.ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(options)
	defer func() { _ = rdb.Close() }()
	var all strings.Builder
	keys := rdb.Scan(t.Context(), 0, "*", 1000).Iterator()
	for keys.Next(t.Context()) {
		key := keys.Val()
		kind, err := rdb.Type(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		read := map[string][]any{
			"string": {"GET", key}, "list": {"LRANGE", key, 0, -1}, "set": {"SMEMBERS", key},
			"zset": {"ZRANGE", key, 0, -1, "WITHSCORES"}, "hash": {"HGETALL", key}, "stream": {"XRANGE", key, "-", "+"}, "none": {"PING"},
		}[kind]
		if read == nil {
			t.Fatalf("%s is a %s, which nobody can read", key, kind)
		}
		value, err := rdb.Do(t.Context(), read...).Result()
		if err != nil && err != redis.Nil {
			t.Fatal(err)
		}
		all.WriteString(key + "\n")
		flatten(&all, value)
	}
	if err := keys.Err(); err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func flatten(all *strings.Builder, value any) {
	switch v := value.(type) {
	case string:
		all.WriteString(v + "\n")
	case []any:
		for _, each := range v {
			flatten(all, each)
		}
	case map[any]any:
		for key, each := range v {
			flatten(all, key)
			flatten(all, each)
		}
	}
}

// everWritten is Redis's append-only file: all that was ever written to it, also what
// has been deleted since.
func everWritten(t *testing.T, address string) string {
	t.Helper()
	options, err := redis.ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(options)
	defer func() { _ = rdb.Close() }()
	dir, err := rdb.ConfigGet(t.Context(), "dir").Result()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir["dir"], "appendonlydir", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// The search itself is tried on what it must find.
func TestSecretsAreFound(t *testing.T) {
	t.Parallel()
	s := secrets{}
	s.hide("Sir Topham O'Hatt")
	s.hideContact("o'brien+x@dept.gov.uk", "+447700900123")
	for _, text := range []string{
		"to O'BRIEN+X@dept.gov.uk", "o'brien+x***", "o%27brien%2Bx%40dept.gov.uk", "sir topham o'hatt", "Sir+Topham+O%27Hatt",
		"447700900123", "07700900123", "07700 900123", "x7700900123x", hex.EncodeToString([]byte("o'brien+x@dept.gov.uk")),
		base64.StdEncoding.EncodeToString([]byte("o'brien+x@dept.gov.uk")), base64.StdEncoding.EncodeToString([]byte(`{"number":"+447700900123"}`)),
		base64.StdEncoding.EncodeToString([]byte(`x{"from":"Sir Topham O'Hatt <x@y.uk>"}`)), base64.StdEncoding.EncodeToString([]byte(`xx{"from":"Sir Topham O'Hatt <x@y.uk>"}`)),
	} {
		if len(s.found(text)) == 0 {
			t.Errorf("nothing is found in %q", text)
		}
	}
	if found := s.found("o***@d***.gov.uk +4477*****123 Sir"); len(found) != 0 {
		t.Errorf("found %q", found)
	}
}
