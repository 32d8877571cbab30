package process

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

type config struct {
	URL    string        `env:"URL_OF_IT,required,notEmpty"`
	Number int           `env:"NUMBER" envDefault:"3"`
	Wait   time.Duration `env:"WAIT"`
	Colour colour        `env:"COLOUR"`
	Level  slog.Level    `env:"LEVEL"`
	Nested struct {
		Secret int `env:"SECRET_NUMBER"`
	}
}

func (c config) Check() []string {
	if c.Number > 5 {
		return []string{"NUMBER is too large"}
	}
	return nil
}

// colour is a type that says itself what is wrong.
type colour string

func (c *colour) UnmarshalText(text []byte) error {
	if string(text) != "red" {
		return errors.New("must be red")
	}
	*c = colour(text)
	return nil
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	c, err := environment[config](map[string]string{"URL_OF_IT": "x", "WAIT": "2s", "COLOUR": "red", "SECRET_NUMBER": "7"})
	if err != nil || c.URL != "x" || c.Number != 3 || c.Wait != 2*time.Second || c.Colour != "red" || c.Nested.Secret != 7 {
		t.Errorf("%+v, %v", c, err)
	}
}

// Everything that is wrong is said at once, by name, and no value is repeated.
func TestEveryFaultInOneMessage(t *testing.T) {
	t.Parallel()
	_, err := environment[config](map[string]string{"NUMBER": "hunter2", "WAIT": "hunter2", "COLOUR": "hunter2", "LEVEL": "hunter2", "SECRET_NUMBER": "hunter2"})
	var usage *UsageError
	if !errors.As(err, &usage) {
		t.Fatalf("%v is no usage error", err)
	}
	for _, want := range []string{"URL_OF_IT is not set", "NUMBER is no whole number", "WAIT is no duration", "COLOUR must be red", "LEVEL is neither", "SECRET_NUMBER is no whole number"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it does not say %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("it repeats a value:\n%v", err)
	}
}

func TestFaultsBetweenVariables(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]string{"6": "NUMBER is too large", "5": ""} {
		_, err := environment[config](map[string]string{"URL_OF_IT": "x", "NUMBER": number})
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", number, err)
		}
	}
	if _, err := environment[config](map[string]string{"URL_OF_IT": ""}); err == nil || !strings.Contains(err.Error(), "URL_OF_IT is empty") {
		t.Errorf("empty: %v", err)
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for want, err := range map[int]error{0: nil, 1: errors.New("broken"), 2: &UsageError{errors.New("wrong")}} {
		if got := code(err); got != want {
			t.Errorf("%v exits with %d", err, got)
		}
	}
}
