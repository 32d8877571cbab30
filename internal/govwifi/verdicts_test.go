package govwifi

import (
	"strings"
	"testing"
)

// verdicts writes spam, virus, SPF, DKIM and DMARC as words in that order.
func verdicts(t *testing.T, words string) Verdicts {
	t.Helper()
	w := strings.Fields(strings.ReplaceAll(words, "-", " - "))
	for i, short := range w {
		w[i] = map[string]string{"P": "PASS", "F": "FAIL", "G": "GRAY", "E": "PROCESSING_FAILED", "D": "DISABLED", "p": "pass", "f": "fail", "-": ""}[short]
	}
	if len(w) != 5 {
		t.Fatalf("%q is not five verdicts", words)
	}
	return Verdicts{Spam: w[0], Virus: w[1], SPF: w[2], DKIM: w[3], DMARC: w[4]}
}

// Every combination that matters: a mail from jo@dept.gov.uk, whose envelope sender is
// bounce@dept.gov.uk unless the row says otherwise.
//
//	P pass  F fail  G gray  E processing failed  D disabled  - not said
func TestVerdicts(t *testing.T) {
	t.Parallel()
	const sameDomain = "bounce@dept.gov.uk"
	for _, c := range []struct {
		verdicts string // spam virus SPF DKIM DMARC
		mailFrom string
		signup   Refusal
		sponsor  Refusal
	}{
		{"P P P P P", sameDomain, "", ""},
		{"p p p p p", sameDomain, "", ""},

		// Spam and viruses, whoever it is from.
		{"F P P P P", sameDomain, RefusedSpam, RefusedSpam},
		{"P F P P P", sameDomain, RefusedVirus, RefusedVirus},
		{"f p p p p", sameDomain, RefusedSpam, RefusedSpam},
		{"p f p p p", sameDomain, RefusedVirus, RefusedVirus},
		{"F F F F F", sameDomain, RefusedSpam, RefusedSpam},
		{"G G P P P", sameDomain, "", ""},
		{"E E P P P", sameDomain, "", ""},
		{"D D P P P", sameDomain, "", ""},
		{"- - P P P", sameDomain, "", ""},

		// DMARC decides where it says something.
		{"P P P P F", sameDomain, RefusedDMARC, RefusedDMARC},
		{"P P P P f", sameDomain, RefusedDMARC, RefusedDMARC},
		{"P P F F F", sameDomain, RefusedDMARC, RefusedDMARC},
		{"P P F F P", sameDomain, "", ""},
		{"P P - - P", "", "", ""},
		{"P P P F P", "bounce@esp.example.com", "", ""},

		// Where it does not, DKIM.
		{"P P F P G", sameDomain, "", ""},
		{"P P F P E", sameDomain, "", ""},
		{"P P F P D", sameDomain, "", ""},
		{"P P F P -", sameDomain, "", ""},
		{"P P P P G", "bounce@esp.example.com", "", ""},
		{"P P F F G", sameDomain, "", RefusedUnproven},
		{"P P G G G", sameDomain, "", RefusedUnproven},
		{"P P E E E", sameDomain, "", RefusedUnproven},
		{"P P D D D", sameDomain, "", RefusedUnproven},
		{"- - - - -", sameDomain, "", RefusedUnproven},
		{"P P F G -", sameDomain, "", RefusedUnproven},

		// Where that does not either, SPF of the same domain or a parent of it.
		{"P P P F G", sameDomain, "", ""},
		{"P P P - -", sameDomain, "", ""},
		{"P P P G D", "BOUNCE@DEPT.GOV.UK", "", ""},
		{"P P P G G", "<bounce@dept.gov.uk>", "", ""},
		{"P P P G G", "bounce@gov.uk", "", ""},
		{"P P P G G", "bounce@mail.dept.gov.uk", "", RefusedUnaligned},
		{"P P P G G", "bounce@ept.gov.uk", "", RefusedUnaligned},
		{"P P P G G", "bounce@xdept.gov.uk", "", RefusedUnaligned},
		{"P P P G G", "bounce@evil.com", "", RefusedUnaligned},
		{"P P P G G", "dept.gov.uk@evil.com", "", RefusedUnaligned},
		{"P P P G G", "bounce@dept.gov.uk.evil.com", "", RefusedUnaligned},
		{"P P P G G", "", "", RefusedUnaligned},
		{"P P P G G", "<>", "", RefusedUnaligned},
		{"P P P G G", "bounce", "", RefusedUnaligned},
		{"P P P G G", "bounce@", "", RefusedUnaligned},
		{"P P P G G", "bounce@.", "", RefusedUnaligned},
		{"P P P G G", "bounce@.gov.uk", "", RefusedUnaligned},
	} {
		v := verdicts(t, c.verdicts)
		if got := v.RefuseSignup(); got != c.signup {
			t.Errorf("%s: a sign-up is refused for %q, want %q", c.verdicts, got, c.signup)
		}
		if got := v.RefuseSponsor("Jo <jo@dept.gov.uk>", c.mailFrom); got != c.sponsor {
			t.Errorf("%s from %q: a sponsor is refused for %q, want %q", c.verdicts, c.mailFrom, got, c.sponsor)
		}
	}
}

// SES's findings are about the domain that SES reads in the From header.
func TestVerdictsAreAboutOneDomain(t *testing.T) {
	t.Parallel()
	const dmarc, dkim, spf = "P P F F P", "P P F P G", "P P P F G"
	for _, c := range []struct {
		from             string
		dmarc, dkim, spf Refusal
	}{
		{"jo@dept.gov.uk", "", "", ""},
		{"Jo <jo@Dept.gov.uk>, Al <al@dept.gov.uk>", "", "", ""},
		{`"jo@home.com" <jo@dept.gov.uk> (jo@home.com)`, "", "", ""},
		{"=?Windows-1252?Q?Zo=EB_Smith?= <jo@dept.gov.uk>", "", "", ""},
		{"jo@dept.gov.uk (=?gb2312?B?1tDOxA==?=)", "", "", ""},
		{"=?Windows-1252?Q?evil=40x.com=2C?= <jo@dept.gov.uk>", "", "", ""},

		// Well formed, and somebody else's domain in it.
		{"jo@dept.gov.uk, evil@x.com", RefusedAmbiguous, RefusedAmbiguous, RefusedAmbiguous},
		{"evil@x.com, jo@dept.gov.uk", RefusedAmbiguous, RefusedAmbiguous, RefusedAmbiguous},
		{"both: jo@dept.gov.uk, evil@x.com;", RefusedAmbiguous, RefusedAmbiguous, RefusedAmbiguous},
		{"jo@dept.gov.uk, jo@team.dept.gov.uk", RefusedAmbiguous, RefusedAmbiguous, RefusedAmbiguous},

		// Against the grammar: whatever it says of DMARC and SPF is about the one domain
		// there is. DKIM is about the signer's.
		{"Smith, Jo <jo@dept.gov.uk>", "", RefusedUnproven, ""},
		{"Jo jo@dept.gov.uk", "", RefusedUnproven, ""},
		{"(evil@x.com) jo@dept.gov.uk", RefusedAmbiguous, RefusedAmbiguous, RefusedAmbiguous},
		{`nobody, "evil@x.com" <jo@dept.gov.uk>`, RefusedAmbiguous, RefusedAmbiguous, RefusedAmbiguous},
		{"jo@dept.gov.uk@x.com", RefusedAmbiguous, RefusedAmbiguous, RefusedAmbiguous},
		{"<jo@dept.gov.uk> <evil@x.com>", RefusedAmbiguous, RefusedAmbiguous, RefusedAmbiguous},
		{"jo@dept.gov.uk evil@", RefusedAmbiguous, RefusedAmbiguous, RefusedAmbiguous},
		{"Jo", RefusedAmbiguous, RefusedAmbiguous, RefusedAmbiguous},
	} {
		for words, want := range map[string]Refusal{dmarc: c.dmarc, dkim: c.dkim, spf: c.spf} {
			if got := verdicts(t, words).RefuseSponsor(c.from, "bounce@dept.gov.uk"); got != want {
				t.Errorf("%s from %s: refused for %q, want %q", words, c.from, got, want)
			}
		}
	}
}

// Each reason is a label of a metric and is listed once.
func TestRefusals(t *testing.T) {
	t.Parallel()
	seen := map[Refusal]bool{}
	for _, r := range Refusals() {
		if r == "" || seen[r] || Mask(string(r)) != string(r) {
			t.Errorf("%q", r)
		}
		seen[r] = true
	}
	for _, r := range []Refusal{RefusedSpam, RefusedVirus, RefusedDMARC, RefusedAmbiguous, RefusedUnproven, RefusedUnaligned, RefusedSponsor, RefusedNoGuests} {
		if !seen[r] {
			t.Errorf("%q is not listed", r)
		}
	}
}
