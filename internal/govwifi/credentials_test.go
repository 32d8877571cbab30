package govwifi

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
)

func TestNewUsername(t *testing.T) {
	t.Parallel()
	shape := regexp.MustCompile(`^[bcdfghjkmnpqrstvwxyz]{6}$`)
	letters := make(map[rune]int)
	const draws = 2000
	for range draws {
		name, err := NewUsername(rand.Reader)
		if err != nil || !shape.MatchString(name) {
			t.Fatalf("NewUsername() = %q, %v", name, err)
		}
		for _, r := range name {
			letters[r]++
		}
	}
	// 600 of each are expected, with a standard deviation of 24: a draw by plain
	// remainder out of 32 would give 375 or 750.
	for _, r := range usernameLetters {
		if n := letters[r]; n < 440 || n > 760 {
			t.Errorf("letter %c drawn %d times in %d, want about 600", r, n, draws*usernameLength)
		}
	}
}

func TestNewUsernameFollowsItsSource(t *testing.T) {
	t.Parallel()
	one, err := NewUsername(bytes.NewReader(make([]byte, 100)))
	if err != nil || one != "bbbbbb" {
		t.Errorf("all zeroes give %q, %v", one, err)
	}
	if _, err := NewUsername(iotest.ErrReader(io.ErrClosedPipe)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a broken source gives %v", err)
	}
}

func TestDefaultWords(t *testing.T) {
	t.Parallel()
	words, err := DefaultWords()
	if err != nil {
		t.Fatal(err)
	}
	if words.Len() != 7772 {
		t.Errorf("%d words, want EFF's 7776 less 4 with hyphens", words.Len())
	}
	shape := regexp.MustCompile(`^([A-Z][a-z]+){3}$`)
	seen := make(map[string]bool)
	for range 2000 {
		password, err := words.NewPassword(rand.Reader)
		if err != nil || !shape.MatchString(password) || len(password) > 64 {
			t.Fatalf("NewPassword() = %q, %v", password, err)
		}
		if seen[password] {
			t.Errorf("%q drawn twice in 2000", password)
		}
		seen[password] = true
	}
	if _, err := words.NewPassword(iotest.ErrReader(io.ErrClosedPipe)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a broken source gives %v", err)
	}
	if _, err := (Words{}).NewPassword(rand.Reader); !errors.Is(err, ErrFewWords) {
		t.Errorf("no words give %v", err)
	}
}

// numbered gives n distinct words.
func numbered(n int) []string {
	letters := strings.NewReplacer("0", "a", "1", "b", "2", "c", "3", "d", "4", "e", "5", "f", "6", "g", "7", "h", "8", "i", "9", "j")
	list := make([]string, n)
	for i := range list {
		list[i] = letters.Replace(fmt.Sprintf("%06d", i))
	}
	return list
}

func TestParseWords(t *testing.T) {
	t.Parallel()
	enough := strings.Join(numbered(5000), "\n")
	almost := strings.Join(numbered(4999), "\n")
	tests := []struct {
		name, list string
		want       int
	}{
		{"exactly enough", enough, 5000},
		{"one too few", almost, 0},
		{"repeats do not count", almost + "\n" + almost + "\nAAAAAA", 0},
		{"hyphens do not count", almost + "\nyo-yo", 0},
		{"accents do not count", almost + "\ncafé", 0},
		{"a single letter does not count", almost + "\nx", 0},
		{"22 letters do not count", almost + "\n" + strings.Repeat("z", 22), 0},
		{"21 letters count", almost + "\n" + strings.Repeat("z", 21), 5000},
		{"dice, case, blank lines and CR LF", almost + "\r\n\r\n66666\tZOO\r\n", 5000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			words, err := ParseWords(strings.NewReader(tt.list))
			if (err == nil) != (tt.want > 0) || words.Len() != tt.want {
				t.Errorf("%d words, %v; want %d", words.Len(), err, tt.want)
			}
			if tt.want == 0 && !errors.Is(err, ErrFewWords) {
				t.Errorf("error = %v, want ErrFewWords", err)
			}
		})
	}
	if _, err := ParseWords(iotest.ErrReader(io.ErrClosedPipe)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a broken reader gives %v", err)
	}
}
