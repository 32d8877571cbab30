package govwifi

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"

	"github.com/sethvargo/go-diceware/diceware"
)

// ErrFewWords says that a word list is too short: its passwords would be easy to guess.
var ErrFewWords = errors.New("the word list is too short")

const (
	// usernameLetters has no vowels, so that no username is a word, and no l,
	// which is read as 1 or I (docs/rules.md, People and credentials).
	usernameLetters = "bcdfghjkmnpqrstvwxyz"
	// usernameLength is what the RADIUS side's sessions table keeps of a name.
	usernameLength = 6
	// passwordWords and maxWordLength keep a password within varchar(64).
	passwordWords = 3
	maxWordLength = 21
	// minWordLength is what ^([A-Z][a-z]+){3}$ asks for.
	minWordLength = 2
	// minWords gives three words at least 36 bits together.
	minWords = 5000
)

// NewUsername draws a username from the given source, which outside tests is
// crypto/rand's Reader. It need not be free yet: the store decides. The only error
// is the source's own.
func NewUsername(random io.Reader) (string, error) {
	name := make([]byte, usernameLength)
	for i := range name {
		letter, err := choose(random, len(usernameLetters))
		if err != nil {
			return "", fmt.Errorf("draw a username: %w", err)
		}
		name[i] = usernameLetters[letter]
	}
	return string(name), nil
}

// Words is a list from which passwords are made. Its zero value makes none: use
// ParseWords or DefaultWords.
type Words struct{ capitalised []string }

// ParseWords reads a word list, a word at the end of each line, so that diceware
// lists ("11111 abacus") serve as they are. Letter case is ignored; lines whose
// word is not made of 2 to 21 letters a to z are passed over, and so are repeats,
// which would make a word likelier than others. Fewer than 5,000 usable words give
// ErrFewWords.
func ParseWords(r io.Reader) (Words, error) {
	var words Words
	seen := make(map[string]bool)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 {
			continue
		}
		word := strings.ToLower(fields[len(fields)-1])
		if !usable(word) || seen[word] {
			continue
		}
		seen[word] = true
		words.capitalised = append(words.capitalised, strings.ToUpper(word[:1])+word[1:])
	}
	if err := lines.Err(); err != nil {
		return Words{}, fmt.Errorf("read the word list: %w", err)
	}
	if n := len(words.capitalised); n < minWords {
		return Words{}, fmt.Errorf("%w: %d usable words, %d are needed", ErrFewWords, n, minWords)
	}
	return words, nil
}

// DefaultWords is the Electronic Frontier Foundation's large list without its few
// hyphenated words: 7,772 words, 38 bits in three.
func DefaultWords() (Words, error) {
	list := diceware.WordListEffLarge()
	var text strings.Builder
	for _, roll := range rolls(list.Digits()) {
		text.WriteString(list.WordAt(roll) + "\n")
	}
	return ParseWords(strings.NewReader(text.String()))
}

// NewPassword draws three capitalised words, each as likely as any other and
// independent of the rest. The capitals keep word boundaries apart, so no two draws
// give the same password. It fails with ErrFewWords where there are none, else only
// with the source's own error.
func (w Words) NewPassword(random io.Reader) (string, error) {
	if len(w.capitalised) == 0 {
		return "", fmt.Errorf("draw a password: %w", ErrFewWords)
	}
	var password strings.Builder
	for range passwordWords {
		word, err := choose(random, len(w.capitalised))
		if err != nil {
			return "", fmt.Errorf("draw a password: %w", err)
		}
		password.WriteString(w.capitalised[word])
	}
	return password.String(), nil
}

// Len is the number of words.
func (w Words) Len() int { return len(w.capitalised) }

func usable(word string) bool {
	isOther := func(r rune) bool { return r < 'a' || r > 'z' }
	return len(word) >= minWordLength && len(word) <= maxWordLength && !strings.ContainsFunc(word, isOther)
}

// choose draws a number below n without bias: rand.Int draws again where a mere
// remainder would favour the small ones.
func choose(random io.Reader, n int) (int, error) {
	i, err := rand.Int(random, big.NewInt(int64(n)))
	if err != nil {
		return 0, err
	}
	return int(i.Int64()), nil
}

// rolls lists what a number of dice can show, as the decimal numbers by which
// diceware lists name their words: 11111, 11112, … 66666.
func rolls(dice int) []int {
	all := []int{0}
	for range dice {
		var longer []int
		for _, roll := range all {
			for face := 1; face <= 6; face++ {
				longer = append(longer, roll*10+face)
			}
		}
		all = longer
	}
	return all
}
