package scheduler

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/govwifi/user-signup/internal/job"
)

func TestSchedule(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ want, err string }{
		"0 13 * * *":                {"0 13 * * *", ""},
		"  */5\t0-6  1,15 * 1-5 ":   {"*/5 0-6 1,15 * 1-5", ""},
		"0 0 29 2 *":                {"0 0 29 2 *", ""},
		"45 5 * * SUN":              {"45 5 * * SUN", ""},
		"off":                       {"off", ""},
		" off ":                     {"off", ""},
		"":                          {"", ""},
		"OFF":                       {"", "is no schedule"},
		"daily":                     {"", "is no schedule"},
		"@daily":                    {"", "is no schedule"},
		"@every 1h":                 {"", "is no schedule"},
		"0 13 * *":                  {"", "is no schedule"},
		"0 0 13 * * *":              {"", "is no schedule"},
		"60 13 * * *":               {"", "is no schedule"},
		"*/0 13 * * *":              {"", "is no schedule"},
		"0 13 * * 7":                {"", "is no schedule"},
		"TZ=Europe/London 0 13 * *": {"", "is no schedule"},
		"TZ=UTC\t0\t13\t*\t*":       {"", "is no schedule"},
		"CRON_TZ=UTC 0 13 * * *":    {"", "is no schedule"},
		"0 0 30 2 *":                {"", "never comes"},
	}
	for text, test := range tests {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			var s Schedule
			err := s.UnmarshalText([]byte(text))
			if test.err == "" && (err != nil || s.String() != test.want) {
				t.Fatalf("%q, %v", s, err)
			}
			if test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
				t.Fatalf("%v, want %q", err, test.err)
			}
		})
	}
}

// Each entry of the timetable has a field of Schedules with the right variable, and
// that field changes it and no other.
func TestEverySchedule(t *testing.T) {
	t.Parallel()
	fields := reflect.TypeFor[Schedules]()
	defaults := Schedules{}.Timetable()
	var variables []string
	for i := range fields.NumField() {
		var s Schedules
		reflect.ValueOf(&s).Elem().Field(i).Set(reflect.ValueOf(mustSchedule("7 7 7 7 *")))
		for n, e := range s.Timetable() {
			want := defaults[n].Schedule.String()
			if variable(e.Name) == fields.Field(i).Tag.Get("env") {
				want = "7 7 7 7 *"
				variables = append(variables, variable(e.Name))
			}
			if e.Schedule.String() != want {
				t.Errorf("with %s, %s has the schedule %q, want %q", fields.Field(i).Tag.Get("env"), e.Name, e.Schedule, want)
			}
		}
	}
	for n, p := range job.Periodics() {
		if !slices.Contains(variables, variable(p.Name)) {
			t.Errorf("Schedules has no field for %s", variable(p.Name))
		}
		if defaults[n].Schedule.String() != p.Cron || !defaults[n].on() {
			t.Errorf("%s has the schedule %q, want its default %q", p.Name, defaults[n].Schedule, p.Cron)
		}
	}
	if fields.NumField() != len(job.Periodics()) {
		t.Errorf("Schedules has %d fields for %d periodic jobs", fields.NumField(), len(job.Periodics()))
	}
}

// A mistyped override is told of; whoever set it believes that a job is off.
func TestStrangers(t *testing.T) {
	t.Parallel()
	got := strangers([]string{"SCHEDULE_SEND_SURVEY=off", "SCHEDULE_SEND_SURVEYS=off", "PATH=/bin", "SCHEDULE_PUBLISH_STATISTICS=off"})
	if want := []string{"SCHEDULE_PUBLISH_STATISTICS", "SCHEDULE_SEND_SURVEY"}; !slices.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
}
