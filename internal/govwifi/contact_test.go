package govwifi

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

// The first mailbox of a From header, unfolded and without its display name.
func TestParseEmail(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]Contact{
		"jo@dept.gov.uk":                       "jo@dept.gov.uk",
		"  jo@dept.gov.uk\r\n":                 "jo@dept.gov.uk",
		"Jo.Smith@Dept.gov.uk":                 "Jo.Smith@Dept.gov.uk",
		"<jo@dept.gov.uk>":                     "jo@dept.gov.uk",
		"Jo Smith <jo@dept.gov.uk>":            "jo@dept.gov.uk",
		`"Smith, Jo" <jo@dept.gov.uk>`:         "jo@dept.gov.uk",
		"Jo\r\n\tSmith\r\n <jo@dept.gov.uk>":   "jo@dept.gov.uk",
		"jo@dept.gov.uk (Jo Smith)":            "jo@dept.gov.uk",
		"=?utf-8?Q?J=C3=B6?= <jo@dept.gov.uk>": "jo@dept.gov.uk",
		"Jö <jo@dept.gov.uk>":                  "jo@dept.gov.uk",
		"jöhn@dept.gov.uk":                     "jöhn@dept.gov.uk",
		"o'brien@dept.gov.uk":                  "o'brien@dept.gov.uk",
		"jo+wifi@dept.gov.uk":                  "jo+wifi@dept.gov.uk",
		"jo@dept.gov.uk, al@x.uk":              "jo@dept.gov.uk",
		"Jo <jo@dept.gov.uk>, Al <al@x.uk>":    "jo@dept.gov.uk",
		`"evil@x.uk" <jo@dept.gov.uk>`:         "jo@dept.gov.uk",
		`"<evil@x.uk>" <jo@dept.gov.uk>`:       "jo@dept.gov.uk",
		"team: jo@dept.gov.uk, al@x.uk;":       "jo@dept.gov.uk",
		"jo@dept.gov.uk, Al <al@x.uk>":         "jo@dept.gov.uk",
		// Too broken for net/mail.
		"Smith, Jo <jo@dept.gov.uk>":                "jo@dept.gov.uk",
		"Jo [DfE] <jo@dept.gov.uk>":                 "jo@dept.gov.uk",
		"Jo <jo@dept.gov.uk":                        "jo@dept.gov.uk",
		"Jo jo@dept.gov.uk":                         "jo@dept.gov.uk",
		"nobody, Jo <jo@dept.gov.uk>, Al <al@x.uk>": "jo@dept.gov.uk",
		`nobody, "<evil@x.uk>" <jo@dept.gov.uk>`:    "jo@dept.gov.uk",
		"evil@x.uk [x] <jo@dept.gov.uk>":            "jo@dept.gov.uk",
		"(evil@x.uk) jo@dept.gov.uk":                "jo@dept.gov.uk",
		`(<evil@x.uk> \) and ") jo@dept.gov.uk`:     "jo@dept.gov.uk",
		`"(" evil <jo@dept.gov.uk> [")" al@x.uk]`:   "jo@dept.gov.uk",
		"Jo < jo@dept.gov.uk >,,":                   "jo@dept.gov.uk",
		"jo.@dept.gov.uk":                           "jo.@dept.gov.uk",
	} {
		if got, err := ParseEmail(header); got != want || err != nil {
			t.Errorf("%q gives %q, %v; want %q", header, string(got), err, string(want))
		}
	}
	for _, header := range []string{"", " ", "jo", "@", "jo@", "@dept.gov.uk", "<>", "Jo <>", "Jo <jo>", "undisclosed-recipients:;",
		"jo\x00@dept.gov.uk <", `"jo smith"@dept.gov.uk`, "jo@\xffdept.gov.uk <"} {
		if got, err := ParseEmail(header); !errors.Is(err, ErrNoAddress) {
			t.Errorf("%q gives %q, %v", header, string(got), err)
		}
	}
}

// docs/rules.md, Phone numbers, in its order.
func TestParsePhone(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Contact{
		// As the Ruby service has it.
		"07700900123":        "+447700900123",
		"447700900123":       "+447700900123",
		"+447700900123":      "+447700900123",
		"07700 900 123":      "+447700900123",
		" 0770\t0900123\r\n": "+447700900123",
		"12025550123":        "+12025550123",
		"+33612345678":       "+33612345678",
		// Extras.
		"07700\u00a0900\u2009123":       "+447700900123",
		"\u200e07700\u200b900123\u2069": "+447700900123",
		"07700.900.123":                 "+447700900123",
		"07700-900-123":                 "+447700900123",
		"07700–900—123":                 "+447700900123",
		"07700−900123":                  "+447700900123",
		"(07700) 900123":                "+447700900123",
		"[07700] 900123":                "+447700900123",
		"00447700900123":                "+447700900123",
		"0033612345678":                 "+33612345678",
		"0049151234567890":              "+49151234567890",
		"+49151234567890":               "+49151234567890",
		"+44(0)7700900123":              "+447700900123",
		"+44 (0) 7700 900123":           "+447700900123",
		"44(0)7700900123":               "+447700900123",
		"7700900123":                    "+447700900123",
		"07700900123.":                  "+447700900123",
		"07700900123,":                  "+447700900123",
		// Ofcom's drama numbers, first and last.
		"07700900000":   "+447700900000",
		"07700900999":   "+447700900999",
		"020 7946 0958": "+442079460958",
		"+6834123":      "+6834123",
	} {
		if got, err := ParsePhone(text); got != want || err != nil {
			t.Errorf("%q gives %q, %v; want %q", text, string(got), err, string(want))
		}
		if !want.IsWrittenAs(text) || (want + "1").IsWrittenAs(text) || Contact("+447700900124").IsWrittenAs(text) {
			t.Errorf("%q is not seen to be %q alone", text, string(want))
		}
	}
	for _, text := range []string{
		"118118", "123456", "441234", "+7701001111", "20260115", "19991231", "2026-01-15",
		"", " ", "+", "0", "DVLA", "GOV.UK", "60006", "12345", "07700", "1234567890123456", "07700900123x", "x07700900123",
		"07700900123 07700900456", "07700 900123;", "٠٧٧٠٠٩٠٠١٢٣", "++447700900123", "447700900123+", "0x7700900123", "7946 0958",
		"jo@dept.gov.uk", "+44", "000000", "+000000000000",
	} {
		if got, err := ParsePhone(text); !errors.Is(err, ErrNoNumber) || got != "" {
			t.Errorf("%q gives %q, %v", text, string(got), err)
		}
	}
}

// No way to print a contact shows it.
func TestContactPrintsMasked(t *testing.T) {
	t.Parallel()
	for c, want := range map[Contact]string{
		"jo@dept.gov.uk": "j***@d***.gov.uk", "+447700900123": "+4477*****123", "+6834123": "+68****3", "john.smith,home@x.uk": "j***@x***.uk", `a b"<c@x.uk`: "a***@x***.uk", "": "",
	} {
		for _, verb := range []string{"%s", "%v", "%+v"} {
			if got := fmt.Sprintf(verb, c); got != want {
				t.Errorf("%s gives %s, want %s", verb, got, want)
			}
		}
		for _, got := range []string{fmt.Sprintf("%q", c), fmt.Sprintf("%#v", c), c.LogValue().String(), fmt.Sprint([]Contact{c}), fmt.Sprintf("%+v", struct{ C Contact }{c})} {
			if c != "" && strings.Contains(got, string(c)) {
				t.Errorf("%s", got)
			}
		}
		u := User{Username: "bcdfgh", Password: "OneTwoThree", Contact: c, Sponsor: c}
		m := CredentialsEmail(c, u)
		for _, got := range []string{fmt.Sprint(u), fmt.Sprintf("%+v %#v", u, u), u.LogValue().String(), fmt.Sprint(m), fmt.Sprintf("%+v %#v", m, m)} {
			if strings.Contains(got, "bcdfgh") || strings.Contains(got, "OneTwo") || c != "" && strings.Contains(got, string(c)) {
				t.Errorf("%s", got)
			}
		}
	}
}

func TestContact(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b Contact
		same bool
	}{
		{"Jo@Dept.gov.uk", "jo@dept.GOV.UK", true},
		{"jöhn@x.uk", "JÖHN@x.uk", true},
		{"jöhn@x.uk", "john@x.uk", false},
		{"+447700900123", "+447700900123", true},
		{"", "jo@x.uk", false},
	} {
		if c.a.Equal(c.b) != c.same {
			t.Errorf("%q and %q", string(c.a), string(c.b))
		}
	}
	for c, want := range map[Contact]string{"jo@Dept.Gov.UK": "dept.gov.uk", `"a@b"@x.uk`: "x.uk", "+jo@x.uk": "x.uk", "+447700900123": ""} {
		if c.Domain() != want || c.IsPhone() != (want == "") {
			t.Errorf("%q: domain %q, phone %v", string(c), c.Domain(), c.IsPhone())
		}
	}
	if err := Contact(strings.Repeat("é", 95) + "@x.uk").Storable(); err != nil {
		t.Errorf("100 characters: %v", err)
	}
	if err := Contact(strings.Repeat("é", 96) + "@x.uk").Storable(); !errors.Is(err, ErrContactTooLong) {
		t.Errorf("101 characters: %v", err)
	}
}

func FuzzParseEmail(f *testing.F) {
	for _, seed := range []string{"jo@dept.gov.uk", `"Smith, Jo" <jo@dept.gov.uk>`, "Jo [x] <jo@dept.gov.uk>, al", "=?utf-8?q?=?= <a@b>", "a:b@c;"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		c, err := ParseEmail(header)
		if err != nil {
			if !errors.Is(err, ErrNoAddress) || c != "" {
				t.Errorf("%q gives %q, %v", header, string(c), err)
			}
			return
		}
		local, domain, _ := cutLast(string(c), "@")
		if local == "" || domain == "" || strings.ContainsFunc(string(c), unprintable) {
			t.Errorf("%q gives %q", header, string(c))
		}
		// Headers are data: no address comes out that did not go in.
		if !strings.Contains(header, domain) && !strings.ContainsAny(header, "\\ \t\r\n(") {
			t.Errorf("%q gives the domain of %q", header, string(c))
		}
	})
}

func FuzzParsePhone(f *testing.F) {
	for _, seed := range []string{"07700 900123", "+44(0)7700900123", "0044", "20260115", "7700900123,", "\u200e+1 202 555 0123"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParsePhone(text)
		if err != nil {
			if !errors.Is(err, ErrNoNumber) || c != "" {
				t.Errorf("%q gives %q, %v", text, string(c), err)
			}
			return
		}
		if digits := strings.TrimPrefix(string(c), "+"); len(c) == len(digits) || len(digits) < 5 || len(digits) > 16 || strings.Trim(digits, "0123456789") != "" {
			t.Errorf("%q gives %q", text, string(c))
		}
		if again, err := ParsePhone(string(c)); again != c || err != nil {
			t.Errorf("%q gives %q, which gives %q, %v", text, string(c), string(again), err)
		}
	})
}

// The short way for UK mobiles says what the library says, for each of the operators'
// ranges and every way of writing them.
func TestUKMobilesAsTheLibraryReadsThem(t *testing.T) {
	t.Parallel()
	for prefix := 7000; prefix <= 7999; prefix++ {
		for _, written := range []string{"+44", "0044", "44", "0", ""} {
			text := fmt.Sprintf("%s%d123456", written, prefix)
			want := ""
			for _, candidate := range readings(text) {
				parsed, err := phonenumbers.Parse(candidate, "GB")
				if err == nil && phonenumbers.IsPossibleNumberWithReason(parsed) == phonenumbers.IS_POSSIBLE {
					want = phonenumbers.Format(parsed, phonenumbers.E164)
				}
			}
			if got, err := ParsePhone(text); string(got) != want || err != nil {
				t.Errorf("%s is %q, %v; the library says %q", text, string(got), err, want)
			}
		}
	}
}
