package govwifi

import "time"

// MonthsBefore is the same day of the month that many calendar months earlier, or
// that month's last day where it is shorter, as MySQL's DATE_SUB has it: one month
// before 31 March is 28 or 29 February. Go's AddDate would say 2 or 3 March.
func MonthsBefore(day time.Time, months int) time.Time {
	first := time.Date(day.Year(), day.Month()-time.Month(months), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(day.Day(), last)-1)
}

// DaysBefore is midnight UTC that many days earlier. UTC has no summer time, so all
// days are 24 hours long.
func DaysBefore(day time.Time, days int) time.Time { return day.AddDate(0, 0, -days) }
