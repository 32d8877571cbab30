package ingest

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// fromNotify is a route that GOV.UK Notify posts to: the handler gets the body of a
// request whose token is right.
func (d *Door) fromNotify(handle func(c echo.Context, text []byte) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !d.Tokens.admit(c.Request().Header.Get(echo.HeaderAuthorization)) {
			return &refusal{http.StatusUnauthorized, "unauthorized", "the bearer token is missing or wrong"}
		}
		text, err := body(c)
		if err != nil {
			return err
		}
		defer hurry(c)()
		return handle(c, text)
	}
}

// admit compares in constant time, over hashes so that not even the length of a
// token can be measured.
func (t Tokens) admit(header string) bool {
	scheme, shown, _ := strings.Cut(header, " ")
	sum := sha256.Sum256([]byte(strings.TrimSpace(shown)))
	match := 0
	for _, token := range t {
		want := sha256.Sum256([]byte(token))
		match |= subtle.ConstantTimeCompare(sum[:], want[:])
	}
	return strings.EqualFold(scheme, "bearer") && match == 1
}
