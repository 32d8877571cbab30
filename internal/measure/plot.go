package measure

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// The plot's size and the room for the axes, in pixels.
const (
	width, height = 480, 300
	left, bottom  = 76, 52
	right, top    = 20, 20
)

// SVG draws the curve with both axes as logarithms, so that linear growth is a straight
// line, drawn dashed beside it from the first point. Every point has its figure in
// words: nothing depends on colour.
func (c Curve) SVG() string {
	first, last := c.Points[0], c.Points[len(c.Points)-1]
	lowest, highest := first.Y, first.Y*last.X/first.X
	for _, p := range c.Points {
		lowest, highest = min(lowest, p.Y), max(highest, p.Y)
	}
	x := axis{math.Log10(first.X), math.Log10(last.X), left, width - right}
	y := axis{math.Floor(math.Log10(lowest)), math.Ceil(math.Log10(highest)), height - bottom, top}

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12" fill="#222">`+"\n", width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n", html.EscapeString(c.Title), width, height)
	for tick := y.from; tick <= y.to; tick++ {
		at := y.at(math.Pow(10, tick))
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", left, at, width-right, left-6, at+4, number(math.Pow(10, tick)))
	}
	fmt.Fprintf(&b, `<path d="M%d %dV%dH%d" fill="none" stroke="#222"/>`+"\n", left, top, height-bottom, width-right)
	fmt.Fprintf(&b, `<path d="M%.1f %.1fL%.1f %.1f" stroke="#888" stroke-dasharray="6 4"/>`+"\n", x.at(first.X), y.at(first.Y), x.at(last.X), y.at(first.Y*last.X/first.X))
	var line []string
	for _, p := range c.Points {
		px, py := x.at(p.X), y.at(p.Y)
		line = append(line, fmt.Sprintf("%.1f %.1f", px, py))
		anchor, shift := "start", 8.0
		if p == last {
			anchor, shift = "end", -8
		}
		fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="4"/><text x="%.1f" y="%.1f" text-anchor="%s">%.3g</text>`+"\n", px, py, px+shift, py+18, anchor, p.Y)
		if p != last {
			anchor = "middle"
		}
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="%s">%s</text>`+"\n", px, height-bottom+18, anchor, number(p.X))
	}
	fmt.Fprintf(&b, `<path d="M%s" fill="none" stroke="#222" stroke-width="2"/>`+"\n", strings.Join(line, "L"))
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", (left+width-right)/2, height-10, html.EscapeString(c.X+" (dashed: linear)"))
	fmt.Fprintf(&b, `<text transform="translate(16 %d) rotate(-90)" text-anchor="middle">%s</text>`+"\n</svg>\n", (top+height-bottom)/2, html.EscapeString(c.Y))
	return b.String()
}

// axis maps logarithms to pixels.
type axis struct{ from, to, first, last float64 }

func (a axis) at(value float64) float64 {
	return a.first + (math.Log10(value)-a.from)/(a.to-a.from)*(a.last-a.first)
}

// number writes 1000000 as 1,000,000 and 0.001 as it is.
func number(n float64) string {
	if n < 1 {
		return fmt.Sprintf("%g", n)
	}
	text := fmt.Sprintf("%.0f", n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
