package console

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/govwifi/user-signup/internal/sandbox/year"
)

// The charts are drawn in a box of this size, which the page scales. What is drawn tells
// its parts apart by pattern and by shape, and a table beside it has every figure.
const (
	chartWidth, chartHeight           = 720, 300
	marginLeft, marginTop             = 44, 16
	marginRight, marginBottom         = 24, 44
	plotWidth, plotHeight             = chartWidth - marginLeft - marginRight, chartHeight - marginTop - marginBottom
	plotBottom                float64 = marginTop + plotHeight
)

// tick is a line across a chart, with its label.
type tick struct {
	Y    float64
	Text string
}

// bars is the chart of sign-ups: a bar for each day, a part for each channel.
type bars struct {
	Bars  []bar
	Ticks []tick
	Days  []year.Count
	Total int
}

// bar is a day. Its parts lie on each other.
type bar struct {
	X, Width, Middle float64
	Parts            []part
	// Label is empty where there is no room for one.
	Label string
}

// part is one channel of a bar; Pattern names how it is filled.
type part struct {
	Y, Height float64
	Pattern   string
}

func signUps(days []year.Count) bars {
	b := bars{Days: days}
	most := 1
	for _, d := range days {
		most = max(most, total(d))
		b.Total += total(d)
	}
	scale, ticks := ruler(most)
	b.Ticks = ticks
	step := float64(plotWidth) / float64(max(len(days), 1))
	for i, d := range days {
		bar := bar{X: marginLeft + step*(float64(i)+0.15), Width: step * 0.7, Middle: marginLeft + step*(float64(i)+0.5)}
		y := plotBottom
		for _, p := range []struct {
			pattern string
			n       int
		}{{"text", d.SignUps.SMSPeriodBefore}, {"email", d.SignUps.EmailPeriodBefore}, {"sponsored", d.SignUps.SponsoredPeriodBefore}} {
			height := float64(p.n) * scale
			y -= height
			bar.Parts = append(bar.Parts, part{y, height, p.pattern})
		}
		if (len(days)-1-i)%7 == 0 {
			bar.Label = d.Day.Format("2 Jan")
		}
		b.Bars = append(b.Bars, bar)
	}
	return b
}

// total is what the chart shows of a day: a user without a sponsor is in no channel.
func total(d year.Count) int {
	return d.SignUps.SMSPeriodBefore + d.SignUps.EmailPeriodBefore + d.SignUps.SponsoredPeriodBefore
}

// ruler finds a scale and four or five lines at round numbers.
func ruler(most int) (scale float64, ticks []tick) {
	step := 1
	for _, s := range []int{1, 2, 5, 10, 20, 50, 100, 200, 500} {
		step = s
		if most <= 5*s {
			break
		}
	}
	top := (most + step - 1) / step * step
	scale = plotHeight / float64(top)
	for n := 0; n <= top; n += step {
		ticks = append(ticks, tick{plotBottom - float64(n)*scale, fmt.Sprint(n)})
	}
	return scale, ticks
}

// lines is the chart of completion rates: a line for each channel, a point each month.
type lines struct {
	Lines  []line
	Ticks  []tick
	Labels []label
	Months []month
}

// line is a channel. Shape is what its points are, so that it is known without colour.
type line struct {
	Name, Shape string
	Points      []point
	Path        string
	// End is where its name stands.
	EndX, EndY float64
}

type point struct{ X, Y float64 }

type label struct {
	X    float64
	Text string
}

// month is a row of the table.
type month struct {
	Name                  string
	Text, Email, Sponsor  string
	textRate, mail, guest float64
}

func rates(months []year.Count) lines {
	l := lines{}
	for p := 0; p <= 100; p += 25 {
		l.Ticks = append(l.Ticks, tick{plotBottom - float64(p)*plotHeight/100, fmt.Sprintf("%d%%", p)})
	}
	text, email, guest := line{Name: "Text", Shape: "circle"}, line{Name: "Email", Shape: "square"}, line{Name: "Sponsored", Shape: "diamond"}
	step := float64(plotWidth-110) / float64(max(len(months)-1, 1))
	for i, m := range months {
		x := marginLeft + 10 + step*float64(i)
		c := m.Completion
		row := month{Name: m.Day.Format("January 2006")}
		row.Text, row.textRate = rate(c.SMSLoggedIn, c.SMSRegistered)
		row.Email, row.mail = rate(c.EmailLoggedIn, c.EmailRegistered)
		row.Sponsor, row.guest = rate(c.SponsorLoggedIn, c.SponsorRegistered)
		text.add(x, row.textRate)
		email.add(x, row.mail)
		guest.add(x, row.guest)
		l.Labels = append(l.Labels, label{x, m.Day.Format("Jan")})
		l.Months = append(l.Months, row)
	}
	l.Lines = []line{text, email, guest}
	apart(l.Lines)
	return l
}

// apart moves the names at the ends of the lines so far from each other that each can be
// read.
func apart(lines []line) {
	const height = 17
	order := []*line{&lines[0], &lines[1], &lines[2]}
	slices.SortFunc(order, func(a, b *line) int { return cmp.Compare(a.EndY, b.EndY) })
	for i := 1; i < len(order); i++ {
		order[i].EndY = max(order[i].EndY, order[i-1].EndY+height)
	}
}

func (l *line) add(x, percent float64) {
	p := point{x, plotBottom - percent*plotHeight/100}
	l.Points = append(l.Points, p)
	l.EndX, l.EndY = p.X, p.Y
	l.Path = strings.TrimSpace(l.Path + fmt.Sprintf(" %.1f,%.1f", p.X, p.Y))
}

// rate is a share as text and in per cent; of nobody it is nothing.
func rate(loggedIn, registered int) (text string, percent float64) {
	if registered == 0 {
		return "none", 0
	}
	percent = 100 * float64(loggedIn) / float64(registered)
	return fmt.Sprintf("%.0f%% (%d of %d)", percent, loggedIn, registered), percent
}
