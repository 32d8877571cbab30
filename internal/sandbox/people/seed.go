package people

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// batch is how many rows one statement inserts: while it runs, nobody else is served.
const batch = 200

// seeded is how many days are filled: a year, and the rest of the month that it began in.
const seeded = 400

// Seed adds a year of people who signed up before the day, the same ones each time:
// more on working days than on others, more as the year goes by, fewer around Christmas
// and in August. Their contacts belong to nobody (Ofcom's drama numbers, .example),
// and their passwords fit no login.
func (t *Table) Seed(ctx context.Context, day time.Time) error {
	random := rand.New(rand.NewPCG(2026, 11))
	var rows []string
	var args []any
	n := 0
	for back := seeded; back > 0; back-- {
		date := day.AddDate(0, 0, -back)
		for range visitors(random, date, seeded-back) {
			n++
			p := invent(random, date, day, n)
			rows = append(rows, "(?, ?, ?, NULL, ?, ?)")
			args = append(args, p.Username, p.Contact, p.Sponsor, p.Created, nullable(p.LastLogin))
		}
		if len(rows) < batch && back > 1 {
			continue
		}
		statement := "INSERT INTO userdetails (username, contact, sponsor, password, created_at, last_login) VALUES " + strings.Join(rows, ", ")
		if _, err := t.sql.ExecContext(ctx, statement, args...); err != nil {
			return fmt.Errorf("add a year of people: %w", err)
		}
		rows, args = nil, nil
	}
	return nil
}

// dramaNumbers are ranges that Ofcom keeps for fiction. Its mobile range is left to those
// who try the sandbox: they would be given these people's users.
var dramaNumbers = []string{"1632960", "1134960", "1144960", "1154960", "1164960", "2079460"}

// visitors is how many people sign up on a day.
func visitors(random *rand.Rand, date time.Time, daysIn int) int {
	mean := 7 + 6*float64(daysIn)/seeded
	switch date.Weekday() {
	case time.Saturday, time.Sunday:
		mean *= 0.25
	case time.Monday:
		mean *= 1.3
	}
	if date.Month() == time.August || (date.Month() == time.December && date.Day() > 20) {
		mean *= 0.6
	}
	return int(mean*(0.7+0.6*random.Float64()) + 0.5)
}

// invent makes the nth person. Texts are the most common way in, and people who text
// stand before the access point, so most of them log in.
func invent(random *rand.Rand, date, day time.Time, n int) Person {
	p := Person{Username: fmt.Sprintf("year%06d", n), Created: date.Add(8*time.Hour + time.Duration(random.Int64N(int64(10*time.Hour)))).Truncate(time.Second)}
	loggedIn := 0.0
	switch channel := random.Float64(); {
	case channel < 0.45:
		p.Contact, loggedIn = fmt.Sprintf("+44%s%03d", dramaNumbers[n/1000%len(dramaNumbers)], n%1000), 0.86
		p.Sponsor = p.Contact
	case channel < 0.75:
		p.Contact, loggedIn = fmt.Sprintf("person%d@dept.example", n), 0.78
		p.Sponsor = p.Contact
	default:
		p.Contact, p.Sponsor, loggedIn = fmt.Sprintf("guest%d@visitor.example", n), fmt.Sprintf("host%d@dept.example", n%40), 0.61
	}
	if random.Float64() < loggedIn {
		p.LastLogin = date.AddDate(0, 0, random.IntN(60))
		if !p.LastLogin.Before(day) {
			p.LastLogin = day.AddDate(0, 0, -1)
		}
	}
	return p
}

func nullable(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}
