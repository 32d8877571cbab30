package job

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// opaque is what an id looks like that can be a job's key as it is.
var opaque = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

// EventKey makes a key of an id from outside. Ids of SES and Notify are taken as
// they are; what looks otherwise is hashed, so that it can neither break a Redis
// key nor carry an address into one.
func EventKey(id string) string {
	if _, err := govwifi.ParsePhone(id); err != nil && opaque.MatchString(id) {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "hashed-" + hex.EncodeToString(sum[:])
}
