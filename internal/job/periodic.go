package job

import (
	"fmt"
	"time"
)

// Run is the common part of the jobs that a clock starts, or an operator.
type Run struct {
	// Date is the day that the job is about, YYYY-MM-DD in UTC.
	Date string `json:"date"`
	// Tick tells runs apart: the scheduled time, the same in however many
	// schedulers, or a random id for a run that an operator asked for. A day
	// alone would be no key: an operator may repeat it.
	Tick string `json:"tick"`
	// Since is where a job begins that looks for what was lost. It is no part of the
	// payload of any other.
	Since time.Time `json:"-"`
}

// WasRecovered is false: nothing is lost that the next tick does not make up for.
func (Run) WasRecovered() bool { return false }

// Label is the day.
func (r Run) Label() string { return "date: " + r.Date }

// day is the start of the run's day in UTC. An unreadable date is permanent.
func (r Run) day() (time.Time, error) {
	d, err := time.Parse(time.DateOnly, r.Date)
	if err != nil {
		return time.Time{}, Permanent(fmt.Errorf("read the date %q: it must look like 2026-11-22", r.Date))
	}
	return d, nil
}

// Periodic is one entry of the timetable.
type Periodic struct {
	// Name is the job's, with the period of statistics behind it; the variable
	// SCHEDULE_<NAME> overrides Cron.
	Name string
	// Cron is the default schedule: five fields, UTC.
	Cron string
	// Make builds the job of a run.
	Make func(Run) Job
}

// Periodics is the timetable (docs/rules.md, Periodic jobs).
func Periodics() []Periodic {
	return []Periodic{
		{"publish-statistics-day", "0 5 * * *", func(r Run) Job { return PublishStatistics{r, Day} }},
		{"publish-statistics-week", "45 5 * * 0", func(r Run) Job { return PublishStatistics{r, Week} }},
		{"publish-statistics-month", "0 6 1 * *", func(r Run) Job { return PublishStatistics{r, Month} }},
		{"delete-inactive-users", "0 10 * * *", func(r Run) Job { return DeleteInactiveUsers{r} }},
		{"warn-inactive-users", "0 9 * * *", func(r Run) Job { return WarnInactiveUsers{r} }},
		{"send-surveys", "0 13 * * *", func(r Run) Job { return SendSurveys{r} }},
		{"send-followups", "0 18 * * *", func(r Run) Job { return SendFollowups{r} }},
		{"copy-notifications", "0 6 * * *", func(r Run) Job { return CopyNotifications{r} }},
		{"backup-templates", "10 6 * * *", func(r Run) Job { return BackupTemplates{r} }},
		{"recover-texts", "*/10 * * * *", func(r Run) Job { return RecoverTexts{Recovery{r.Since, r.Tick}} }},
		{"recover-mail", "25 * * * *", func(r Run) Job { return RecoverMail{Recovery{r.Since, r.Tick}} }},
	}
}

// maintenanceSpec is common to the periodic jobs: they may take long, nobody waits,
// and a day later the next run makes up for them.
func maintenanceSpec(name string) Spec {
	return Spec{Name: name, Queue: Maintenance, Timeout: time.Hour, Patience: wholeDay}
}
