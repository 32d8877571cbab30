package sns

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // SignatureVersion 1, which topics have unless told otherwise.
	_ "crypto/sha256"
	"encoding/base64"
	"fmt"
)

// hashes are the digests by SignatureVersion.
var hashes = map[string]crypto.Hash{"1": crypto.SHA1, "2": crypto.SHA256}

// digest hashes what is signed; ok is false for an unknown SignatureVersion.
func (e Envelope) digest() (hash crypto.Hash, sum []byte, ok bool) {
	hash, ok = hashes[e.SignatureVersion]
	if !ok {
		return 0, nil, false
	}
	h := hash.New()
	h.Write(e.canonical())
	return hash, h.Sum(nil), true
}

// Sign returns the envelope with the Signature that SNS would give it, were key
// SNS's. It serves the sandbox and the tests: no real message is signed by us.
// SignatureVersion must be set.
func Sign(e Envelope, key *rsa.PrivateKey) (Envelope, error) {
	hash, sum, ok := e.digest()
	if !ok {
		return Envelope{}, fmt.Errorf("sign envelope: SignatureVersion %q is neither 1 nor 2", e.SignatureVersion)
	}
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, hash, sum)
	if err != nil {
		return Envelope{}, fmt.Errorf("sign envelope: %w", err)
	}
	e.Signature = base64.StdEncoding.EncodeToString(signature)
	return e, nil
}
