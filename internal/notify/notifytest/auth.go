package notifytest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
)

// tokenWindow is how far a token's iat may be from Notify's clock, both ways.
const tokenWindow = 30 * time.Second

// uuidLength is that of the one way to write a UUID which Notify takes, of those that the
// library knows; either case is good.
const uuidLength = 36

func isUUIDText(text string) bool { return len(text) == uuidLength && uuid.Validate(text) == nil }

// parsedKey is an API key and its parts.
type parsedKey struct{ text, serviceID, secret string }

// mustParseKey cuts a key as Notify's own clients do: two UUIDs from the right.
func mustParseKey(text string) parsedKey {
	n := len(text)
	if n < 2*uuidLength+1 || !isUUIDText(text[n-uuidLength:]) || !isUUIDText(text[n-2*uuidLength-1:n-uuidLength-1]) {
		panic("notifytest: a key must end in -serviceid-secret, both UUIDs")
	}
	return parsedKey{text: text, serviceID: text[n-2*uuidLength-1 : n-uuidLength-1], secret: text[n-uuidLength:]}
}

func forbidden(message string) *refusal {
	return refuse(http.StatusForbidden, "AuthError", message)
}

// authorise checks the token by hand, and not with the library that the client
// signs with, so that the two cannot be wrong together. The caller holds s.mu.
func (s *Server) authorise(header string) *refusal {
	if header == "" {
		return refuse(http.StatusUnauthorized, "AuthError", "Unauthorized: authentication token must be provided")
	}
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "bearer") {
		return refuse(http.StatusUnauthorized, "AuthError", "Unauthorized: authentication bearer scheme must be used")
	}
	const malformed = "Invalid token: make sure your API token matches the example at https://docs.notifications.service.gov.uk/rest-api.html#authorisation-header"
	parts := strings.Split(token, ".")
	var head struct {
		Alg string `json:"alg"`
	}
	var claims map[string]any
	if len(parts) != 3 || !decodePart(parts[0], &head) || !decodePart(parts[1], &claims) {
		return forbidden(malformed)
	}
	issuer, ok := claims["iss"].(string)
	switch {
	case !ok:
		return forbidden("Invalid token: iss field not provided")
	case !isUUIDText(issuer):
		return forbidden("Invalid token: service id is not the right data type")
	case issuer != s.key.serviceID:
		return forbidden("Invalid token: service not found")
	case head.Alg != "HS256":
		return forbidden("Invalid token: algorithm used is not HS256")
	}
	if r := s.checkSignature(parts); r != nil {
		return r
	}
	issued, ok := claims["iat"].(float64)
	if !ok || issued != float64(int64(issued)) {
		return forbidden(malformed)
	}
	if skew := s.cfg.Now().Unix() - int64(issued); max(skew, -skew) > int64(tokenWindow/time.Second) {
		return forbidden("Error: Your system clock must be accurate to within 30 seconds")
	}
	return nil
}

func (s *Server) checkSignature(parts []string) *refusal {
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	signed := func(by parsedKey) bool {
		mac := hmac.New(sha256.New, []byte(by.secret))
		mac.Write([]byte(parts[0] + "." + parts[1]))
		return err == nil && hmac.Equal(signature, mac.Sum(nil))
	}
	if signed(s.key) {
		return nil
	}
	for _, old := range s.revoked {
		if signed(old) {
			return forbidden("Invalid token: API key revoked")
		}
	}
	return forbidden("Invalid token: API key not found")
}

func decodePart(part string, value any) bool {
	data, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(data, value) == nil
}
