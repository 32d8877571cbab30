package notifytest

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// strayMarks are what Notify allows between the digits of a number.
const strayMarks = "()-."

// parsePhone reads a number as Notify does: any way of writing a possible number,
// without a country code British. Complaint is what Notify says of a bad one, else empty.
func parsePhone(text string) (number *phonenumbers.PhoneNumber, complaint string) {
	bare := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune(strayMarks, r) {
			return -1
		}
		return r
	}, text)
	if strings.ContainsFunc(bare, func(r rune) bool { return !strings.ContainsRune("+0123456789", r) }) {
		return nil, "Must not contain letters or symbols"
	}
	parsed, err := phonenumbers.Parse(withPlus(bare), "GB")
	switch {
	case errors.Is(err, phonenumbers.ErrInvalidCountryCode):
		return nil, "Not a valid country prefix"
	case errors.Is(err, phonenumbers.ErrNumTooLong):
		return nil, "Too many digits"
	case err != nil:
		return nil, "Not enough digits"
	}
	if isUKMobile(parsed) && parsed.GetNationalNumber() < 1e9 {
		return nil, "Not enough digits" // Possible only for a landline.
	}
	switch phonenumbers.IsPossibleNumberWithReason(parsed) {
	case phonenumbers.IS_POSSIBLE:
		return parsed, ""
	case phonenumbers.TOO_LONG:
		return nil, "Too many digits"
	case phonenumbers.INVALID_COUNTRY_CODE:
		return nil, "Not a valid country prefix"
	case phonenumbers.TOO_SHORT, phonenumbers.IS_POSSIBLE_LOCAL_ONLY:
		return nil, "Not enough digits"
	}
	return nil, "Number is not valid – double check the phone number you entered"
}

func isUKMobile(number *phonenumbers.PhoneNumber) bool {
	return number.GetCountryCode() == 44 && strings.HasPrefix(phonenumbers.GetNationalSignificantNumber(number), "7")
}

// withPlus reads digits that begin with a country code as such: Notify itself hands
// out senders that way.
func withPlus(digits string) string {
	if strings.HasPrefix(digits, "+") || strings.HasPrefix(digits, "0") || len(digits) <= 10 {
		return digits
	}
	return "+" + digits
}

// checkServed refuses numbers that are possible but that the service may not send to.
func checkServed(number *phonenumbers.PhoneNumber, ukOnly bool) *refusal {
	switch {
	case number.GetCountryCode() == 44 && !isUKMobile(number):
		return refuse(http.StatusBadRequest, "InvalidPhoneError", "Not a UK mobile number")
	case number.GetCountryCode() != 44 && ukOnly:
		return badRequest("Cannot send to international mobile numbers")
	}
	return nil
}

// The shapes of Notify's own check of an address (notifications-utils).
var (
	addressShape  = regexp.MustCompile("^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~\\\\-]+@([^.@][^@\\s]+)$")
	hostPartShape = regexp.MustCompile(`^(?i)(xn|[a-z0-9]+)(-?-[a-z0-9]+)*$`)
	topPartShape  = regexp.MustCompile(`^(?i)([a-z]{2,63}|xn--([a-z0-9]+-)*[a-z0-9]+)$`)
)

const maxAddress = 320

func checkEmailAddress(text string) string {
	const invalid = "Not a valid email address"
	text = strings.TrimSpace(text)
	found := addressShape.FindStringSubmatch(text)
	if found == nil || len(text) > maxAddress || strings.Contains(text, "..") {
		return invalid
	}
	local, _, _ := strings.Cut(text, "@")
	if strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") {
		return invalid
	}
	parts := strings.Split(found[1], ".")
	if len(found[1]) > 253 || len(parts) < 2 || !topPartShape.MatchString(parts[len(parts)-1]) {
		return invalid
	}
	if slices.ContainsFunc(parts, func(part string) bool { return len(part) > 63 || !hostPartShape.MatchString(part) }) {
		return invalid
	}
	return ""
}

// recipient is an address or a number as sent; number, which an email lacks, is what it
// was read as.
type recipient struct {
	text   string
	number *phonenumbers.PhoneNumber
}

// isSmokeTest says whether Notify validates messages to the recipient in full and answers
// 201, but neither stores nor sends them (docs/facts.md A9).
func (r recipient) isSmokeTest() bool {
	if r.number == nil {
		local, found := strings.CutSuffix(strings.ToLower(r.text), "@notifications.service.gov.uk")
		return found && slices.Contains([]string{"simulate-delivered", "simulate-delivered-2", "simulate-delivered-3"}, local)
	}
	return r.number.GetCountryCode() == 44 &&
		slices.Contains([]uint64{7700900000, 7700900111, 7700900222}, r.number.GetNationalNumber())
}
