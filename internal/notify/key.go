package notify

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// apiKey is an API key cut into the parts that a token needs.
type apiKey struct{ serviceID, secret string }

// keyShape is name-service-secret. The name may hold hyphens, so the two UUIDs are
// found from the right; Notify writes them in lower case and so must we.
var keyShape = regexp.MustCompile(`^(?:.*-)?(` + uuidShape + `)-(` + uuidShape + `)$`)

const uuidShape = `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`

func parseKey(text string) (apiKey, error) {
	parts := keyShape.FindStringSubmatch(strings.TrimSpace(text))
	if parts == nil {
		return apiKey{}, errors.New("the GOV.UK Notify API key is not of the form name-serviceid-secret, both ids lower-case UUIDs")
	}
	return apiKey{serviceID: parts[1], secret: parts[2]}, nil
}

// token makes the token of one request. Notify takes it for 30 s before and after
// now, so none is kept; it refuses doubtful extra claims, so there are none.
func (k apiKey) token(now time.Time) (string, error) {
	claims := jwt.MapClaims{"iss": k.serviceID, "iat": now.Unix()}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(k.secret))
	if err != nil {
		return "", fmt.Errorf("sign the token: %w", err)
	}
	return signed, nil
}
