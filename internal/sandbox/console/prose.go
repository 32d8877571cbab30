package console

import (
	"fmt"
	"html/template"
	"regexp"
	"strings"
	"time"
)

// functions are what the pages may call.
var functions = template.FuncMap{
	"clock": func(t time.Time) string { return t.Local().Format(time.TimeOnly) },
	"date":  func(t time.Time) string { return t.UTC().Format("2 January 2006") },
	"iso":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"after": after,
	// problem is what is wrong with a field of the form that was posted, if anything.
	"problem": func(all []problem, field string) string {
		for _, p := range all {
			if p.Field == field {
				return p.Text
			}
		}
		return ""
	},
	"joinForm": func(b bubble, c choice) joinForm { return joinForm{b, c} },
	"plural": func(n int, one, many string) string {
		if n == 1 {
			return one
		}
		return many
	},
}

// joinForm is the button beside credentials that arrived.
type joinForm struct {
	Message bubble
	Choice  choice
}

// after is the time since an event began, as short as people read it.
func after(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return "0 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

var (
	link     = regexp.MustCompile(`https://[^\s<]+`)
	numbered = regexp.MustCompile(`^[0-9]+\. `)
)

// prose is a mail as GOV.UK Notify shows it to a person: headings, lists, inset text and
// links, paragraph by paragraph. Everything else is escaped.
func prose(body string) template.HTML {
	var b strings.Builder
	for _, block := range strings.Split(strings.ReplaceAll(body, "\r\n", "\n"), "\n\n") {
		lines := strings.Split(strings.TrimSpace(block), "\n")
		switch first := lines[0]; {
		case first == "":
		case strings.HasPrefix(first, "# "):
			b.WriteString("<h4>" + inline(first[2:]) + "</h4>")
		case strings.HasPrefix(first, "^ "):
			b.WriteString(`<p class="inset">` + inline(first[2:]) + "</p>")
		case strings.HasPrefix(first, "* "):
			list(&b, "ul", lines, func(line string) string { return strings.TrimPrefix(line, "* ") })
		case numbered.MatchString(first):
			list(&b, "ol", lines, func(line string) string { return numbered.ReplaceAllString(line, "") })
		default:
			b.WriteString("<p>")
			for i, line := range lines {
				if i > 0 {
					b.WriteString("<br>")
				}
				b.WriteString(inline(line))
			}
			b.WriteString("</p>")
		}
	}
	return template.HTML(b.String())
}

func list(b *strings.Builder, tag string, lines []string, text func(string) string) {
	b.WriteString("<" + tag + ">")
	for _, line := range lines {
		b.WriteString("<li>" + inline(text(line)) + "</li>")
	}
	b.WriteString("</" + tag + ">")
}

// inline escapes a line, and shows its links as what they are without being any: they
// lead out of the sandbox.
func inline(line string) string {
	return link.ReplaceAllString(template.HTMLEscapeString(line), `<span class="link">$0</span>`)
}
