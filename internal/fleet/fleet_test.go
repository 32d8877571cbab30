package fleet

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/govwifi/user-signup/internal/testenv"
)

func connect(t *testing.T) *redis.Client {
	t.Helper()
	o, err := redis.ParseURL(testenv.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	o.PoolSize = 100
	rdb := redis.NewClient(o)
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// clear is a sealer that is off, as a nil *queue.Sealer is.
type clear struct{}

func (clear) Seal(_ string, clear []byte) []byte  { return clear }
func (clear) Open(string, []byte) ([]byte, error) { return nil, errors.New("no keys") }
func (clear) Pseudonym(text string) string        { return hash("", text) }

func sum(key, text string) [sha256.Size]byte { return sha256.Sum256([]byte(key + "\x00" + text)) }

func hash(key, text string) string {
	digest := sum(key, text)
	return hex.EncodeToString(digest[:16])
}

// keys is a sealer that hides from the eye; the first key seals, all open.
type keys []string

func (k keys) Seal(purpose string, clear []byte) []byte {
	head := sum(k[0], purpose)
	return append(head[:], flip(clear)...)
}

func (k keys) Open(purpose string, sealed []byte) ([]byte, error) {
	for _, key := range k {
		head := sum(key, purpose)
		if body, ok := bytes.CutPrefix(sealed, head[:]); ok {
			return flip(body), nil
		}
	}
	return nil, errors.New("no key fits")
}

func (k keys) Pseudonym(text string) string { return hash(k[0], text) }

func flip(text []byte) []byte {
	flipped := make([]byte, len(text))
	for i, b := range text {
		flipped[i] = b ^ 0x80
	}
	return flipped
}

// dump is all that Redis holds, keys and values, as text.
func dump(t *testing.T, rdb *redis.Client) string {
	t.Helper()
	var all strings.Builder
	for _, key := range allKeys(t, rdb) {
		all.WriteString(key + "\n")
		var values []string
		var err error
		switch kind := rdb.Type(t.Context(), key).Val(); kind {
		case "string":
			values = append(values, rdb.Get(t.Context(), key).Val())
		case "zset":
			values, err = rdb.ZRange(t.Context(), key, 0, -1).Result()
		case "hash":
			for field, value := range rdb.HGetAll(t.Context(), key).Val() {
				values = append(values, field, value)
			}
		default:
			t.Fatalf("key %s is a %s", key, kind)
		}
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(strings.Join(values, "\n") + "\n")
	}
	return all.String()
}

func allKeys(t *testing.T, rdb *redis.Client) []string {
	t.Helper()
	found, err := rdb.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	return found
}
