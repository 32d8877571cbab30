package govwifi

import "strings"

// Verdicts are SES's findings about a mail: PASS, FAIL, GRAY, PROCESSING_FAILED,
// DISABLED, or empty where SES said nothing.
type Verdicts struct {
	Spam  string `json:"spam"`
	Virus string `json:"virus"`
	SPF   string `json:"spf"`
	DKIM  string `json:"dkim"`
	DMARC string `json:"dmarc"`
}

const (
	pass = "PASS"
	fail = "FAIL"
)

// Refusal is why a mail is not acted upon: in a log line, and as the label of the
// metric that counts them. It holds nothing of the mail; empty is no refusal.
type Refusal string

// The refusals. The last two are about a sponsor whose mail is genuine.
const (
	RefusedSpam      Refusal = "SES calls it spam"
	RefusedVirus     Refusal = "SES found a virus"
	RefusedDMARC     Refusal = "DMARC failed"
	RefusedAmbiguous Refusal = "the sender is named with several domains or headers, and SES may have judged another"
	RefusedUnproven  Refusal = "neither DMARC, DKIM nor SPF passed"
	RefusedUnaligned Refusal = "SPF passed for an envelope sender of another domain"
	RefusedSponsor   Refusal = "the sponsor is not on the allow-list"
	RefusedNoGuests  Refusal = "the mail names no guest"
)

// Refusals lists them all.
func Refusals() []Refusal {
	return []Refusal{RefusedSpam, RefusedVirus, RefusedDMARC, RefusedAmbiguous, RefusedUnproven, RefusedUnaligned, RefusedSponsor, RefusedNoGuests}
}

// RefuseSignup says why a self-signup mail must not be acted upon, or "". Spam,
// viruses and failed DMARC are enough: the reply goes to the real owner of the
// address, so a forged sender gains nothing.
func (v Verdicts) RefuseSignup() Refusal {
	switch {
	case is(v.Spam, fail):
		return RefusedSpam
	case is(v.Virus, fail):
		return RefusedVirus
	case is(v.DMARC, fail):
		return RefusedDMARC
	}
	return ""
}

// RefuseSponsor says why a sponsor's mail must not be acted upon, or "". It asks
// for proof of the sender, since a forged From would create accounts for
// strangers: DMARC passed, or where the domain publishes no policy DKIM, or SPF
// for an envelope sender of the From domain or a parent of it
// (docs/rules.md, Sponsor sign-up).
//
// SES judges the domain that it reads in the From header, and need not read it as we do:
// a header with two domains proves neither. One that breaks the grammar may have kept
// DMARC from saying anything, and DKIM passes for anybody's signature, so it proves
// nothing then (docs/decisions/0019-whose-proof.md).
func (v Verdicts) RefuseSponsor(from, mailFrom string) Refusal {
	if reason := v.RefuseSignup(); reason != "" {
		return reason
	}
	found, wellFormed := domains(from)
	switch {
	case len(found) != 1:
		return RefusedAmbiguous
	case is(v.DMARC, pass), wellFormed && is(v.DKIM, pass):
		return ""
	case !is(v.SPF, pass):
		return RefusedUnproven
	case !aligned(found[0], mailFrom):
		return RefusedUnaligned
	}
	return ""
}

// aligned compares whole labels: gov.uk is a parent of dept.gov.uk, ept.gov.uk is not.
func aligned(domain, mailFrom string) bool {
	envelope, err := ParseEmail(mailFrom)
	if err != nil {
		return false
	}
	parent := envelope.Domain()
	return domain == parent || strings.HasSuffix(domain, "."+parent)
}

func is(verdict, want string) bool { return strings.EqualFold(verdict, want) }
