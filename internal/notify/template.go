package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// refreshPause is the least time between two look-ups of all template ids, so that
// jobs for a missing template do not become a storm of them.
const refreshPause = 3 * time.Second

// Template is a template as Notify has it.
type Template struct {
	// ID changes when a template is deleted and made again, and from one
	// environment to the next; Name does not.
	ID   string `json:"id"`
	Name string `json:"name"`
	// Type is email, sms or letter.
	Type string `json:"type"`
	// Raw is the whole object as Notify gave it, for backups.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps the whole object beside the fields we use.
func (t *Template) UnmarshalJSON(data []byte) error {
	type plain Template
	if err := json.Unmarshal(data, (*plain)(t)); err != nil {
		return fmt.Errorf("read a template: %w", err)
	}
	t.Raw = append(json.RawMessage(nil), data...)
	return nil
}

// Templates lists all of the service's templates; archived ones are not among them.
func (c *Client) Templates(ctx context.Context) ([]Template, error) {
	var page struct {
		Templates []Template `json:"templates"`
	}
	if err := c.get(ctx, call{endpoint: endpointTemplates, path: "/v2/templates"}, &page); err != nil {
		return nil, fmt.Errorf("list the templates: %w", err)
	}
	return page.Templates, nil
}

// CheckTemplates asks Notify for its templates now and returns those of ours that
// it does not have. A success also shows that the key is good.
func (c *Client) CheckTemplates(ctx context.Context) (missing []govwifi.Template, err error) {
	listed, err := c.Templates(ctx)
	if err != nil {
		return nil, err
	}
	ids := idsByName(listed)
	for _, name := range govwifi.Templates() {
		if _, ok := ids[name]; !ok {
			missing = append(missing, name)
		}
	}
	return missing, nil
}

// TemplateName is the template with that id, empty if it is none of ours: other programs
// may use the same Notify service. It asks Notify only if no ids are known at all, so a
// template that has just been made again is unknown until a message of it is sent.
func (c *Client) TemplateName(ctx context.Context, id string) (govwifi.Template, error) {
	return c.templates.name(ctx, id)
}

// templateIDs remembers the id of each template name. Ids are never thrown away by
// age: one that has died shows itself by a 400, and find is then told so.
type templateIDs struct {
	list func(context.Context) ([]Template, error)
	now  func() time.Time

	mu  sync.RWMutex
	ids map[govwifi.Template]string

	// turn holds one token: who has it may list. A channel and not a mutex, since
	// who waits for it must be able to give up.
	turn chan struct{}
	// lastTry and lastErr are the last look-up; only who has the turn may touch them.
	lastTry time.Time
	lastErr error
}

func newTemplateIDs(list func(context.Context) ([]Template, error), now func() time.Time) *templateIDs {
	return &templateIDs{list: list, now: now, turn: make(chan struct{}, 1)}
}

// find returns the id of a name, looking all of them up if it is not known or is
// the one that Notify has just refused. The same id comes back if that is still
// what Notify lists. A name that Notify does not have is ErrMisconfigured.
func (t *templateIDs) find(ctx context.Context, name govwifi.Template, refused string) (string, error) {
	if id := t.known(name); id != "" && id != refused {
		return id, nil
	}
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return "", fmt.Errorf("wait for the template ids: %w", ctx.Err())
	}
	// Another job may have looked them up while this one waited.
	if id := t.known(name); id != "" && id != refused {
		return id, nil
	}
	if err := t.refresh(ctx); err != nil {
		return "", err
	}
	id := t.known(name)
	if id == "" {
		return "", fmt.Errorf("%w: there is no %s template called %q: create it, or take it out of the archive", govwifi.ErrMisconfigured, typeOf(name), string(name))
	}
	return id, nil
}

// name finds the name to an id.
func (t *templateIDs) name(ctx context.Context, id string) (govwifi.Template, error) {
	if !t.loaded() {
		// Looking for any name looks all of them up.
		if _, err := t.find(ctx, govwifi.CredentialsSMS, ""); err != nil && !t.loaded() {
			return "", err
		}
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	for name, known := range t.ids {
		if known == id && slices.Contains(govwifi.Templates(), name) {
			return name, nil
		}
	}
	return "", nil
}

func (t *templateIDs) loaded() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.ids) > 0
}

func (t *templateIDs) known(name govwifi.Template) string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.ids[name]
}

// refresh looks all ids up, or repeats the outcome of a look-up that is only just over.
func (t *templateIDs) refresh(ctx context.Context) error {
	if since := t.now().Sub(t.lastTry); since >= 0 && since < refreshPause {
		return t.lastErr
	}
	listed, err := t.list(ctx)
	if ctx.Err() != nil {
		return err // That says nothing to those whose time is not over.
	}
	t.lastTry, t.lastErr = t.now(), err
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ids = idsByName(listed)
	return nil
}

// idsByName leaves out templates of the wrong type for their name: Notify would
// refuse them. Of several with one name the first listed is taken, as Ruby did.
func idsByName(listed []Template) map[govwifi.Template]string {
	ids := make(map[govwifi.Template]string, len(listed))
	for _, template := range listed {
		name := govwifi.Template(template.Name)
		if _, taken := ids[name]; !taken && template.Type == typeOf(name) {
			ids[name] = template.ID
		}
	}
	return ids
}

func typeOf(name govwifi.Template) string {
	if name.IsEmail() {
		return endpointEmail
	}
	return endpointSMS
}
