package queue

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ErrSealed says that a payload opens with none of our keys.
var ErrSealed = errors.New("the payload opens with none of QUEUE_SEAL_KEYS; add the key that sealed it, then run the job again from the archive")

// Sealer keeps personal data unreadable in Redis: AES-256-GCM with a random nonce
// and the job's name as additional data, so that a payload cannot be moved to
// another job. A nil Sealer leaves everything in the clear.
type Sealer struct {
	// keys: the first seals, all open, so keys are rotated without downtime.
	keys []cipher.AEAD
	// pseudonymKey derives ids from personal data that cannot be guessed back.
	pseudonymKey []byte
}

// ParseSealKeys reads QUEUE_SEAL_KEYS, a comma list of base64 32-byte keys. An
// empty text gives a nil Sealer. Errors name the position of the bad key, never
// the key.
func ParseSealKeys(text string) (*Sealer, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	s := &Sealer{}
	for i, field := range strings.Split(text, ",") {
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(field))
		if err != nil || len(key) != 32 {
			return nil, fmt.Errorf("key %d is not 32 bytes in base64 (make one with `openssl rand -base64 32`)", i+1)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("use key %d: %w", i+1, err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, fmt.Errorf("use key %d: %w", i+1, err)
		}
		s.keys = append(s.keys, aead)
		if i == 0 {
			s.pseudonymKey = mac(key, "pseudonym")
		}
	}
	return s, nil
}

// Keys is how many keys open payloads; 0 on a nil Sealer.
func (s *Sealer) Keys() int {
	if s == nil {
		return 0
	}
	return len(s.keys)
}

// SealKeys is QUEUE_SEAL_KEYS as a configuration field; its Sealer may be nil.
type SealKeys struct{ *Sealer }

// UnmarshalText reads the comma list.
func (k *SealKeys) UnmarshalText(text []byte) (err error) {
	k.Sealer, err = ParseSealKeys(string(text))
	return err
}

// envelope is a sealed payload as it lies in Redis.
type envelope struct {
	// Label is masked, for the dashboard.
	Label string `json:"label"`
	// Sealed is nonce and ciphertext.
	Sealed []byte `json:"sealed"`
}

func (s *Sealer) close(name, label string, payload []byte) ([]byte, error) {
	if s == nil {
		return payload, nil
	}
	return json.Marshal(envelope{Label: label, Sealed: s.Seal(name, payload)})
}

// open also takes a payload in the clear: those queued before keys were set.
func (s *Sealer) open(name string, payload []byte) ([]byte, error) {
	e, sealed := sealedIn(payload)
	if !sealed {
		return payload, nil
	}
	return s.Open(name, e.Sealed)
}

// sealedIn reads a payload that is sealed.
func sealedIn(payload []byte) (e envelope, sealed bool) {
	if !bytes.Contains(payload, []byte(`"sealed":`)) || json.Unmarshal(payload, &e) != nil {
		return e, false
	}
	return e, e.Sealed != nil
}

// Seal encrypts for the given purpose; opening for another fails. On a nil Sealer
// it is the identity.
func (s *Sealer) Seal(purpose string, clear []byte) []byte {
	if s == nil {
		return clear
	}
	nonce := make([]byte, s.keys[0].NonceSize())
	_, _ = rand.Read(nonce) // never fails: crypto/rand aborts the program instead
	return s.keys[0].Seal(nonce, nonce, clear, []byte(purpose))
}

// Open reverses Seal with whichever key fits, else ErrSealed, as on a nil Sealer.
func (s *Sealer) Open(purpose string, sealed []byte) ([]byte, error) {
	if s == nil {
		return nil, ErrSealed
	}
	for _, key := range s.keys {
		if len(sealed) < key.NonceSize() {
			break
		}
		nonce, ciphertext := sealed[:key.NonceSize()], sealed[key.NonceSize():]
		if clear, err := key.Open(nil, nonce, ciphertext, []byte(purpose)); err == nil {
			return clear, nil
		}
	}
	return nil, ErrSealed
}

// Pseudonym is a short stable id for personal data, keyed where keys are set: a
// plain hash of a phone number is found by trying all numbers.
func (s *Sealer) Pseudonym(text string) string {
	var key []byte
	if s != nil {
		key = s.pseudonymKey
	}
	return hex.EncodeToString(mac(key, text)[:16])
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
