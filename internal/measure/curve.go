package measure

import (
	"fmt"
	"math"
	"testing"
)

// Curve is how a cost grows with a size: measured at a size, ten times and a hundred
// times as much.
type Curve struct {
	// Name is that of the plot's file, docs/growth-NAME.svg.
	Name string
	// Title is a sentence without a verb, as under a picture.
	Title string
	// X is what grows, Y what it costs, with its unit.
	X, Y   string
	Points []Point
}

// Point is one measurement.
type Point struct{ X, Y float64 }

// Exponent is the slope between the ends where both axes are logarithms: 1 is linear, 0
// constant.
func (c Curve) Exponent() float64 {
	first, last := c.Points[0], c.Points[len(c.Points)-1]
	return math.Log(last.Y/first.Y) / math.Log(last.X/first.X)
}

// worse is the exponent above which a curve is called worse than linear. What is over 1
// is measurement: constant costs make true curves flatter than linear, not steeper.
const worse = 1.15

// Shape is the sentence on the curve.
func (c Curve) Shape() string {
	first, last := c.Points[0], c.Points[len(c.Points)-1]
	name := "linear"
	switch e := c.Exponent(); {
	case e > worse:
		name = "worse than linear"
	case e < 0.2:
		name = "constant, as far as this can tell"
	case e < 0.85:
		name = "flatter than linear"
	}
	return fmt.Sprintf("%.3g times the %s cost %.3g times as much (exponent %.2f): %s.", last.X/first.X, c.X, last.Y/first.Y, c.Exponent(), name)
}

// Report shows the curve and adds it to the gathered ones.
func (c Curve) Report(tb testing.TB) {
	tb.Helper()
	fmt.Printf("\n> growth: %s\n", c.Title)
	for _, p := range c.Points {
		fmt.Printf("> %14.0f %-24s %10.4g %s\n", p.X, c.X, p.Y, c.Y)
	}
	fmt.Printf("> %s\n", c.Shape())
	gather(tb, Line{Curve: &c})
}
