// Package scheduler decides which ticks of the timetable are due and queues the job
// of each once, however many schedulers run. asynq's own Scheduler would queue it
// once per process, and drop what it missed (docs/asynq.md, section 4).
package scheduler

import (
	"os"
	"sort"
	"strings"

	"github.com/govwifi/user-signup/internal/job"
	"github.com/govwifi/user-signup/internal/queue"
	"github.com/govwifi/user-signup/internal/telemetry"
)

// Config is the scheduler's environment (docs/contract.md, section 3).
type Config struct {
	Log telemetry.LogConfig
	// AdminAddr serves operators.
	AdminAddr telemetry.Addr `env:"ADMIN_ADDR" envDefault:":9090"`
	// RedisURL is where jobs are queued.
	RedisURL queue.URL `env:"REDIS_URL,required,notEmpty"`
	// SealKeys keep payloads unreadable in Redis; none leaves them in the clear.
	SealKeys queue.SealKeys `env:"QUEUE_SEAL_KEYS"`
	// Schedules override the timetable.
	Schedules Schedules
}

// Schedules has a field for each entry of job.Periodics; none leaves its default.
type Schedules struct {
	PublishStatisticsDay   Schedule `env:"SCHEDULE_PUBLISH_STATISTICS_DAY"`
	PublishStatisticsWeek  Schedule `env:"SCHEDULE_PUBLISH_STATISTICS_WEEK"`
	PublishStatisticsMonth Schedule `env:"SCHEDULE_PUBLISH_STATISTICS_MONTH"`
	DeleteInactiveUsers    Schedule `env:"SCHEDULE_DELETE_INACTIVE_USERS"`
	WarnInactiveUsers      Schedule `env:"SCHEDULE_WARN_INACTIVE_USERS"`
	SendSurveys            Schedule `env:"SCHEDULE_SEND_SURVEYS"`
	SendFollowups          Schedule `env:"SCHEDULE_SEND_FOLLOWUPS"`
	CopyNotifications      Schedule `env:"SCHEDULE_COPY_NOTIFICATIONS"`
	BackupTemplates        Schedule `env:"SCHEDULE_BACKUP_TEMPLATES"`
	RecoverTexts           Schedule `env:"SCHEDULE_RECOVER_TEXTS"`
	RecoverMail            Schedule `env:"SCHEDULE_RECOVER_MAIL"`
}

// byName finds the override of an entry.
func (s Schedules) byName() map[string]Schedule {
	return map[string]Schedule{
		"publish-statistics-day":   s.PublishStatisticsDay,
		"publish-statistics-week":  s.PublishStatisticsWeek,
		"publish-statistics-month": s.PublishStatisticsMonth,
		"delete-inactive-users":    s.DeleteInactiveUsers,
		"warn-inactive-users":      s.WarnInactiveUsers,
		"send-surveys":             s.SendSurveys,
		"send-followups":           s.SendFollowups,
		"copy-notifications":       s.CopyNotifications,
		"backup-templates":         s.BackupTemplates,
		"recover-texts":            s.RecoverTexts,
		"recover-mail":             s.RecoverMail,
	}
}

// Timetable is job.Periodics with the overrides.
func (s Schedules) Timetable() []Entry {
	overrides := s.byName()
	var entries []Entry
	for _, p := range job.Periodics() {
		entry := Entry{Name: p.Name, Schedule: mustSchedule(p.Cron), Make: p.Make}
		if o := overrides[p.Name]; o.text != "" {
			entry.Schedule = o
		}
		entries = append(entries, entry)
	}
	return entries
}

// variable is the name of the variable that overrides an entry.
func variable(name string) string {
	return "SCHEDULE_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// strangers are the variables that look like an override and are none: whoever
// mistyped one believes that a job is off.
func strangers(environ []string) []string {
	ours := map[string]bool{}
	for _, p := range job.Periodics() {
		ours[variable(p.Name)] = true
	}
	var found []string
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "SCHEDULE_") && !ours[name] {
			found = append(found, name)
		}
	}
	sort.Strings(found)
	return found
}

// warnings are what is odd about the configuration, without being wrong.
func (c Config) warnings() []string {
	var odd []string
	for _, name := range strangers(os.Environ()) {
		odd = append(odd, name+" is ignored: no periodic job has that name (`scheduler jobs` lists them)")
	}
	if c.SealKeys.Sealer == nil {
		odd = append(odd, "QUEUE_SEAL_KEYS is not set: personal data lies in the clear in Redis")
	}
	return odd
}
