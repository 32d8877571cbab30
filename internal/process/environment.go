package process

import (
	"encoding"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// Environment fills a Config struct from its `env` tags. Everything that is missing
// or malformed is in the one UsageError that it returns, by the variable's name and
// never with its value, which may be a secret. A Config with a Check method adds
// what spans several variables.
func Environment[C any]() (C, error) {
	return environment[C](nil)
}

// environment reads the process's environment, or a test's own.
func environment[C any](from map[string]string) (C, error) {
	var c C
	var problems []string
	if err := env.ParseWithOptions(&c, env.Options{Environment: from}); err != nil {
		problems = append(problems, describe(reflect.TypeOf(c), err)...)
	}
	if checker, ok := any(c).(interface{ Check() []string }); ok {
		problems = append(problems, checker.Check()...)
	}
	if len(problems) == 0 {
		return c, nil
	}
	return c, &UsageError{fmt.Errorf("the configuration is wrong (docs/contract.md, section 3, explains every variable):\n  %s", strings.Join(problems, "\n  "))}
}

func describe(config reflect.Type, err error) []string {
	var all env.AggregateError
	if !errors.As(err, &all) {
		return []string{"the environment cannot be read"}
	}
	var problems []string
	for _, err := range all.Errors {
		problems = append(problems, describeOne(config, err))
	}
	return problems
}

func describeOne(config reflect.Type, err error) string {
	var unset env.VarIsNotSetError
	var empty env.EmptyVarError
	var bad env.ParseError
	switch {
	case errors.As(err, &unset):
		return unset.Key + " is not set"
	case errors.As(err, &empty):
		return empty.Key + " is empty"
	case errors.As(err, &bad):
		return variable(config, bad.Name) + " " + complaint(bad)
	}
	return "a variable is malformed"
}

// complaint is what a type's own UnmarshalText says of a value, as the end of a
// sentence that begins with the variable's name. What strconv says would repeat it.
func complaint(bad env.ParseError) string {
	if bad.Type == reflect.TypeFor[slog.Level]() {
		return "is neither debug, info, warn nor error" // slog's own words would repeat it
	}
	if reflect.PointerTo(bad.Type).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return bad.Err.Error()
	}
	if bad.Type == reflect.TypeFor[time.Duration]() {
		return "is no duration, such as 25s or 2m"
	}
	switch bad.Type.Kind() {
	case reflect.Bool:
		return "is neither true nor false"
	case reflect.Uint:
		return "is no whole number from 0 up"
	case reflect.Int:
		return "is no whole number"
	}
	return fmt.Sprintf("is no valid %s", bad.Type)
}

// variable finds the environment variable behind a field's name, in nested structs too.
func variable(config reflect.Type, field string) string {
	for i := range config.NumField() {
		f := config.Field(i)
		if f.Name == field {
			name, _, _ := strings.Cut(f.Tag.Get("env"), ",")
			return name
		}
		if f.Type.Kind() == reflect.Struct {
			if name := variable(f.Type, field); name != field {
				return name
			}
		}
	}
	return field
}
