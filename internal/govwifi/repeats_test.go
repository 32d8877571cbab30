package govwifi

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"
)

func TestRepeats(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	text := func(id string, after time.Duration, words string) IncomingText {
		return IncomingText{ID: id, From: "+447700900123", Text: words, At: noon.Add(after)}
	}
	var flood, spread []IncomingText
	for i := range 11 {
		flood = append(flood, text(fmt.Sprintf("%02d", i+1), time.Duration(i)*30*time.Second, fmt.Sprint(i)))
		spread = append(spread, text(fmt.Sprintf("%02d", i+1), time.Duration(i)*34*time.Second, fmt.Sprint(i)))
	}
	other := text("c", 2*time.Minute, "Go")
	other.From = "+447700900456"
	for name, c := range map[string]struct {
		texts []IncomingText
		want  []string
	}{
		"two alike":                 {[]IncomingText{text("a", 0, "Go"), text("b", time.Minute, "Go")}, nil},
		"the third alike":           {[]IncomingText{text("a", 0, "Go"), text("b", time.Minute, "Go"), text("c", 15*time.Minute, "Go")}, []string{"c"}},
		"the third, a moment later": {[]IncomingText{text("a", 0, "Go"), text("b", time.Minute, "Go"), text("c", 15*time.Minute+1, "Go")}, nil},
		"newest first, as Notify lists": {[]IncomingText{text("d", 4*time.Minute, "Go"), text("c", 3*time.Minute, "Go"), text("b", 2*time.Minute, "Go"), text("a", 0, "Go")},
			[]string{"c", "d"}},
		"other words":               {[]IncomingText{text("a", 0, "Go"), text("b", time.Minute, "Go"), text("c", 2*time.Minute, "go")}, nil},
		"another number":            {[]IncomingText{text("a", 0, "Go"), text("b", time.Minute, "Go"), other}, nil},
		"the tenth in five minutes": {flood, []string{"10", "11"}},
		"ten in longer":             {spread, nil},
	} {
		if got := slices.Sorted(maps.Keys(Repeats(c.texts))); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
