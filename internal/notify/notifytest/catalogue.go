package notifytest

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"
)

// The types of message and of template.
const (
	typeEmail = "email"
	typeSMS   = "sms"
)

// Template is a template as an operator writes it in Notify.
type Template struct {
	Name string
	// Type is email or sms.
	Type string
	// Subject is for emails; both it and Body may hold ((placeholders)).
	Subject, Body string
}

// liveTemplate is a template with what Notify adds.
type liveTemplate struct {
	Template
	id       string
	version  int
	archived bool
	created  time.Time
}

// catalogue is all templates, also the archived ones.
type catalogue struct{ templates []liveTemplate }

// set adds a template in place of the one of the same name and type.
func (c *catalogue) set(t Template, now time.Time) {
	c.templates = slices.DeleteFunc(c.templates, func(old liveTemplate) bool {
		return old.Name == t.Name && old.Type == t.Type
	})
	c.templates = append(c.templates, liveTemplate{Template: t, id: uuid.NewString(), version: 1, created: now})
}

func (c *catalogue) archive(name string) {
	for i := range c.templates {
		if c.templates[i].Name == name {
			c.templates[i].archived = true
		}
	}
}

func (c *catalogue) renew(now time.Time) {
	for i, t := range c.templates {
		c.templates[i] = liveTemplate{Template: t.Template, id: uuid.NewString(), version: 1, created: now}
	}
}

func (c *catalogue) byID(id string) (liveTemplate, bool) {
	i := slices.IndexFunc(c.templates, func(t liveTemplate) bool { return t.id == id })
	if i < 0 {
		return liveTemplate{}, false
	}
	return c.templates[i], true
}

// listed is what the API lists: sorted by name then type, archived ones left out;
// an empty kind means all.
func (c *catalogue) listed(kind string) []liveTemplate {
	var list []liveTemplate
	for _, t := range c.templates {
		if !t.archived && (kind == "" || t.Type == kind) {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b liveTemplate) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type))
	})
	return list
}

// object is the template as the API shows it.
func (t liveTemplate) object() map[string]any {
	required := map[string]any{}
	for _, found := range placeholder.FindAllStringSubmatch(t.Subject+" "+t.Body, -1) {
		required[found[1]] = map[string]bool{"required": true}
	}
	object := map[string]any{
		"id": t.id, "name": t.Name, "type": t.Type, "version": t.version, "body": t.Body, "subject": nil,
		"created_at": apiTime(t.created), "updated_at": nil, "created_by": "operator@digital.cabinet-office.gov.uk",
		"personalisation": required, "letter_contact_block": nil, "postage": nil,
	}
	if t.Type == typeEmail {
		object["subject"] = t.Subject
	}
	return object
}

// apiTime is a time as the API writes it.
func apiTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }
