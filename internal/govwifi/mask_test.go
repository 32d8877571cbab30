package govwifi

import (
	"fmt"
	"strings"
	"testing"
)

func TestMaskAddresses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"jo@dept.gov.uk":                            "j***@d***.gov.uk",
		"to JO.Smith+x@Dept.Gov.UK now":             "to J***@D***.Gov.UK now",
		"j@x.uk":                                    "j***@x***.uk",
		"o'brien@dept.gov.uk":                       "o***@d***.gov.uk",
		"tom&jerry@dept.gov.uk":                     "t***@d***.gov.uk",
		"a!#$%&'*+/=?^_`{|}~b@dept.gov.uk":          "a***@d***.gov.uk",
		"bounce+jo=dept.gov.uk@ses.example.com":     "b***@s***.com",
		"jo@mail.john-smith.co.uk":                  "j***@m***.co.uk",
		"jo@john.smith.name":                        "j***@j***.name",
		"jo@localhost":                              "j***@l***",
		"jo@[192.168.100.200]":                      "j***@***",
		"jo@@dept.gov.uk":                           "j***@d***.gov.uk",
		"a@b@c.uk":                                  "a***@c***.uk",
		"jöhn@dépt.gov.uk":                          "j***@d***.gov.uk",
		"ёжик@почта.рф":                             "ё***@п***",
		"jo＠dept.gov.uk":                            "j***@d***.gov.uk",
		"jo\u200b@dept.gov.uk":                      "j***@d***.gov.uk",
		`"john smith"@dept.gov.uk`:                  `"j***@d***.gov.uk`,
		`"john \"j\" smith"@dept.gov.uk`:            `"j***@d***.gov.uk`,
		`{"from":"\"john smith\"@dept.gov.uk"}`:     `{"from":"\"j***@d***.gov.uk"}`,
		"Jo <jo@dept.gov.uk>, Al <al@x.org>":        "Jo <j***@d***.gov.uk>, Al <a***@x***.org>",
		"Jo<jo@dept.gov.uk>":                        "Jo<j***@d***.gov.uk>",
		"mailto:jo@dept.gov.uk?subject=x":           "m***@d***.gov.uk?subject=x",
		"a@x.uk,b@y.uk;c@z.uk":                      "a***@x***.uk,b***@y***.uk;c***@z***.uk",
		"[a@x.uk b@y.uk]":                           "[a***@x***.uk b***@y***.uk]",
		`{"to":"jo@dept.gov.uk","cc":["al@x.org"]}`: `{"to":"j***@d***.gov.uk","cc":["a***@x***.org"]}`,
		`{"to":"Jo \u003cjo@dept.gov.uk\u003e"}`:    `{"to":"Jo \u***@d***.gov.uk\u003e"}`,
		"Error 1062: Duplicate entry 'jo@x.uk' for": "Error 1062: Duplicate entry 'j***@x***.uk' for",
		"https://n.uk/v2?to=jo%40dept.gov.uk&x=1":   "h***@d***.gov.uk&x=1",
		"jo%2540dept.gov.uk":                        "j***@d***.gov.uk",
		`jo\u0040dept.gov.uk`:                       "j***@d***.gov.uk",
		"jo&#64;dept.gov.uk":                        "j***@d***.gov.uk",
		"redis://user:s3cret@redis.internal:6379/0": "r***@r***.internal:6379/0",
		"write to jo@dept.gov.uk.":                  "write to j***@d***.gov.uk.",
		"jo@dept.gov.uk's":                          "j***@d***.gov.uk's",
		"at 5 @ noon, jo@ or @":                     "at 5 @ noon, jo@ or @",
		"/go/pkg/mod/github.com/labstack/echo/v4@v4.16.0/echo.go:12": "/go/pkg/mod/github.com/labstack/echo/v4@v4.16.0/echo.go:12",
		"golang.org/x/exp@v0.0.0-20231108232855-2478ac86f678/a.go":   "golang.org/x/exp@v0.0.0-20231108232855-2478ac86f678/a.go",
		"jo@x.uk@v1.2.3": "j***@v***",
		"":               "",
	} {
		check(t, text, want)
	}
}

func TestMaskNumbers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"+447700900123":                   "+4477*****123",
		"+44 7700 900123":                 "+44 77** ***123",
		"07700 900123":                    "0770* ***123",
		"(07700) 900-123":                 "(0770*) ***-123",
		"07700.900.123":                   "0770*.***.123",
		"447700900123":                    "4477*****123",
		"00447700900123":                  "0044*******123",
		"7700 900123":                     "7700 ***123",
		"+1 202 555 0123":                 "+1 202 *** *123",
		"33 6 12 34 56 78":                "33 6 1* ** *6 78",
		"07700\u00a0900\u200b123":         "0770*\u00a0***\u200b123",
		"07700–900−123":                   "0770*–***−123",
		"٠٧٧٠٠٩٠٠١٢٣":                     "٠٧٧٠****١٢٣",
		"+683 4123":                       "+68* ***3",
		"+123456":                         "+12***6",
		"source_number=447700900123&x":    "source_number=4477*****123&x",
		"%2B447700900123":                 "%2B4477*****123",
		"%2B44%207700%20900123":           "%2B44 77** ***123",
		"07700+900123":                    "0770*+***123",
		`{"text":"call\n07700900123"}`:    `{"text":"call\n0770****123"}`,
		"tel07700900123x":                 "tel0770****123x",
		"entry '+447700900123' for key":   "entry '+4477*****123' for key",
		"07700900123, 07700900456":        "0770****123, 0770****456",
		"+447700900123@sms.example.com":   "+***@s***.com",
		"077.009.001.23":                  "077.0**.**1.23",
		"447700900123447700900456":        "4477*****************456",
		"2026-11-22 07700900123":          "2026-11-22 0770****123",
		"b51f638b-0000-4000-8000-0000000": "b51f638b-0000-****-****-****000",
	} {
		check(t, text, want)
	}
}

// What operators search for is not hidden: ids, times, places.
func TestMaskLeavesTheRest(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"b51f638b-0912-4123-8901-123456789012",
		"B51F638B-0912-4123-8901-123456789012",
		"d6iitobk75ur44p8kdnnp7g2n800",
		"o3vrnil0e2ic28trm7dfhrc2v0clambda4nbp0g1-guest-4999",
		"hashed-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b78521234",
		"4bf92f3577b34da6a3ce929d0e0e4736",
		"0123456789abcdef0123456789abcdef01234567-receipt",
		"2026-11-22", "2026-11-22T12:00:00Z", "2026-11-22 12:00:00.123456789 +0000 UTC",
		"2026-11-22T12:00:00.123456+01:00", "12:00:00.123456789",
		"publish-statistics-day-2026-11-22", "volumetrics/volumetrics-day-2026-11-22",
		"notify_template_20261122120000.json",
		"36s", "1m30.5s", "took 1.234567891s", "0.0123",
		"127.0.0.1:6379", "dial tcp 192.168.100.200:3306: connection refused",
		"goroutine 12 [running]:\n\t/src/a.go:123 +0x1d\n\tf(0xc000123456)",
		"Error 1205 (HY000): Lock wait timeout exceeded", "Error 1062 (23000): Duplicate entry", "HTTP 503", "5000 guests", "20260115",
	} {
		check(t, text, text)
	}
}

func check(t *testing.T, text, want string) {
	t.Helper()
	got := Mask(text)
	if got != want {
		t.Errorf("%q\n becomes %q\n    want %q", text, got, want)
	}
	if again := Mask(got); again != got {
		t.Errorf("%q, masked twice, becomes %q", got, again)
	}
}

// Whatever stands around a contact, it does not survive, and masking twice changes
// nothing.
func FuzzMask(f *testing.F) {
	for _, seed := range [][4]string{
		{"to ", "jo@dept.gov.uk", "07700 900123", " again"},
		{`{"a":"\n`, `"john smith"@x.uk`, "+44 7700 900123", `"}`},
		{"https://x.uk/?to=", "a=b&c@x.uk", "00447700900123", "%20@%40"},
		{"2026-11-22T12:00:00.", "o'brien@x.co.uk", "7700900123", "-4000-8000"},
		{"123456 ", "3@x.uk", "12025550123", "@v1.2.3"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, before, address, number, after string) {
		text := fmt.Sprintf("%s %s %s %s", before, address, number, after)
		masked := Mask(text)
		if atSigns.MatchString(text) && !mayHoldAtSign(text) {
			t.Errorf("an at sign is missed in %q", text)
		}
		if maskNumbers(text) != text && !mayHoldNumber(text) {
			t.Errorf("a number is missed in %q", text)
		}
		if again := Mask(masked); again != masked {
			t.Errorf("%q becomes %q, then %q", text, masked, again)
		}
		if c, err := ParseEmail(address); err == nil {
			if lower := strings.ToLower(masked); strings.Contains(lower, strings.ToLower(string(c))) {
				t.Errorf("%s stands in %q", string(c), masked)
			}
			if strings.Contains(c.String(), string(c)) {
				t.Errorf("%s prints as itself", string(c))
			}
		}
		c, err := ParsePhone(number)
		if err == nil && len(c) > 9 {
			digits := strings.TrimPrefix(string(c), "+")
			if strings.Contains(masked, digits) || strings.Contains(masked, strings.TrimPrefix(digits, "44")) {
				t.Errorf("%s stands in %q", string(c), masked)
			}
		}
	})
}

func BenchmarkMask(b *testing.B) {
	for b.Loop() {
		Mask("send credentials_sms to +447700900123: post to Notify: context deadline exceeded (jo@dept.gov.uk)")
	}
}
