package sns

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sesHead is what SES writes on top, for a mail to the recipients.
func sesHead(recipients, results string) string {
	return "Return-Path: <bounce@dept.gov.uk>\r\n" +
		"Received: from mx.dept.gov.uk (mx.dept.gov.uk [192.0.2.1])\r\n by inbound-smtp.eu-west-1.amazonaws.com with SMTP id d6iitobk75ur44p8kdnnp7g2n800\r\n" +
		" for " + recipients + ";\r\n Thu, 02 May 2024 00:54:05 +0000 (UTC)\r\n" +
		"X-SES-Spam-Verdict: PASS\r\nX-SES-Virus-Verdict: PASS\r\n" +
		"Received-SPF: pass (spfCheck: domain of dept.gov.uk designates 192.0.2.1 as permitted sender) client-ip=192.0.2.1; envelope-from=bounce@dept.gov.uk; helo=mx.dept.gov.uk;\r\n" +
		"Authentication-Results: amazonses.com;\r\n " + results + "\r\n" +
		"X-SES-RECEIPT: AEFB\r\nX-SES-DKIM-SIGNATURE: a=rsa-sha256; d=amazonses.com\r\n"
}

const (
	allPass = "spf=pass (spfCheck: domain of dept.gov.uk) client-ip=192.0.2.1; envelope-from=bounce@dept.gov.uk; helo=mx.dept.gov.uk;\r\n" +
		" dkim=pass header.i=@dept.gov.uk;\r\n dmarc=pass header.from=dept.gov.uk;"
	theirs = "Received: from laptop by mx.dept.gov.uk; Thu, 02 May 2024 00:54:00 +0000\r\nFrom: Jo\r\n <jo@dept.gov.uk>\r\nTo: signup@wifi.service.gov.uk\r\n\r\nGo\r\n"
)

func TestReadStored(t *testing.T) {
	t.Parallel()
	pass := Verdicts{"PASS", "PASS", "PASS", "PASS", "PASS"}
	signup := []string{"signup@wifi.service.gov.uk"}
	forged := "X-SES-Spam-Verdict: PASS\r\nX-SES-Virus-Verdict: PASS\r\nAuthentication-Results: amazonses.com; spf=pass; dkim=pass; dmarc=pass;\r\n" +
		"Return-Path: <jo@dept.gov.uk>\r\nReceived: from x by inbound-smtp.eu-west-1.amazonaws.com with SMTP id x for sponsor@wifi.service.gov.uk; now\r\n"
	failed := strings.NewReplacer("Spam-Verdict: PASS", "Spam-Verdict: FAIL").Replace(
		sesHead("signup@wifi.service.gov.uk", "spf=fail (x) envelope-from=a@b; dkim=none; dmarc=fail header.from=dept.gov.uk;"))
	bad := Verdicts{"FAIL", "PASS", "FAIL", "GRAY", "FAIL"}
	for name, c := range map[string]struct {
		head string
		want Receipt
	}{
		"an ordinary mail": {sesHead("signup@wifi.service.gov.uk", allPass) + theirs,
			Receipt{From: "Jo <jo@dept.gov.uk>", MailFrom: "bounce@dept.gov.uk", Recipients: signup, Verdicts: pass}},
		"bare line feeds": {strings.ReplaceAll(sesHead("signup@wifi.service.gov.uk", allPass)+theirs, "\r\n", "\n"),
			Receipt{From: "Jo <jo@dept.gov.uk>", MailFrom: "bounce@dept.gov.uk", Recipients: signup, Verdicts: pass}},
		"the envelope counts, not To": {sesHead("Sponsor@wifi.service.gov.uk", allPass) + theirs,
			Receipt{From: "Jo <jo@dept.gov.uk>", MailFrom: "bounce@dept.gov.uk", Recipients: []string{"Sponsor@wifi.service.gov.uk"}, Verdicts: pass}},
		"a bounce": {strings.Replace(sesHead("signup@wifi.service.gov.uk", allPass), "bounce@dept.gov.uk", "", 1) + theirs,
			Receipt{From: "Jo <jo@dept.gov.uk>", Recipients: signup, Verdicts: pass}},
		"verdicts forged below": {failed + forged + theirs,
			Receipt{From: "Jo <jo@dept.gov.uk>", MailFrom: "bounce@dept.gov.uk", Recipients: signup, Verdicts: bad}},
		"verdicts forged below a short top": {"Return-Path: <x@evil.com>\r\nX-SES-DKIM-SIGNATURE: a\r\n" + forged + theirs,
			Receipt{From: "Jo <jo@dept.gov.uk>", MailFrom: "x@evil.com", Recipients: signup}},
		"verdicts in the envelope sender": {sesHead("signup@wifi.service.gov.uk",
			`spf=fail (x; dmarc=pass) envelope-from="; spf=pass; dkim=pass; dmarc=pass;"@evil.com; helo=x; dkim=fail header.i=@evil.com; dmarc=none header.from=dept.gov.uk;`) + theirs,
			Receipt{From: "Jo <jo@dept.gov.uk>", MailFrom: "bounce@dept.gov.uk", Recipients: signup, Verdicts: Verdicts{"PASS", "PASS", "FAIL", "FAIL", "GRAY"}}},
		"an escaped quote": {`Authentication-Results: amazonses.com; spf=fail (x) envelope-from="a\"; dkim=pass; dmarc=pass "@evil.com; helo=h; dkim=none;` + "\r\n" + theirs,
			Receipt{From: "Jo <jo@dept.gov.uk>", Recipients: signup, Verdicts: Verdicts{SPF: "FAIL", DKIM: "GRAY"}}},
		"another server's results": {"Authentication-Results: mx.evil.com; dmarc=pass;\r\n" + theirs,
			Receipt{From: "Jo <jo@dept.gov.uk>", Recipients: signup}},
		"one signature of two holds": {sesHead("signup@wifi.service.gov.uk", "spf=temperror; dkim=pass header.i=@dept.gov.uk; dkim=fail header.i=@list.org; dmarc=permerror;") + theirs,
			Receipt{From: "Jo <jo@dept.gov.uk>", MailFrom: "bounce@dept.gov.uk", Recipients: signup,
				Verdicts: Verdicts{"PASS", "PASS", "PROCESSING_FAILED", "PASS", "PROCESSING_FAILED"}}},
		"nothing of SES's": {"From: jo@dept.gov.uk\r\nTo: Us <SPONSOR@wifi.service.gov.uk>\r\nCc: a@b.uk\r\n\r\n",
			Receipt{From: "jo@dept.gov.uk", Recipients: []string{"SPONSOR@wifi.service.gov.uk", "a@b.uk"}}},
		"cut off in a header": {"From: jo@dept.gov.uk\r\nTo: signup@wifi.service.gov.uk\r\nSubject: a lo",
			Receipt{From: "jo@dept.gov.uk", Recipients: signup}},
	} {
		got, err := ReadStored([]byte(c.head))
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

func TestReadStoredRefuses(t *testing.T) {
	t.Parallel()
	for name, head := range map[string]string{
		"nothing": "", "no From": "To: a@b.uk\r\n\r\n", "an empty From": "From: \r\n\r\n",
		"two senders": "From: jo@dept.gov.uk\r\nFrom: x@evil.com\r\n\r\n", "From in the text": "To: a@b.uk\r\n\r\nFrom: jo@dept.gov.uk\r\n",
	} {
		if got, err := ReadStored([]byte(head)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestOurs(t *testing.T) {
	t.Parallel()
	for recipient, want := range map[string]bool{"signup@wifi.service.gov.uk": true, "Enroll@x.uk": true, "enrol@x.uk": true, "sponsor@x.uk": true,
		"verify@wifi.service.gov.uk": false, "logrequest@x.uk": false, "signup": false, "x@signup": false} {
		if got := (Receipt{Recipients: []string{"a@b.uk", recipient}}).Ours(); got != want {
			t.Errorf("%s: %v", recipient, got)
		}
	}
}

func FuzzReadStored(f *testing.F) {
	f.Add([]byte(sesHead("signup@wifi.service.gov.uk", allPass) + theirs))
	f.Fuzz(func(t *testing.T, head []byte) {
		if r, err := ReadStored(head); err == nil && strings.TrimSpace(r.From) == "" {
			t.Errorf("%+v", r)
		}
	})
}
