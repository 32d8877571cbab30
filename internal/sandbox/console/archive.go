package console

import (
	"net/http"

	"github.com/govwifi/user-signup/internal/queue"
)

// runArchived gives every job that was given up another run, as an operator does with
// `worker archive run -all`.
func (c *Console) runArchived(r *http.Request) error {
	archive := c.Jobs.Archive()
	given, err := archive.List(r.Context(), queue.Selection{})
	if err != nil {
		return err
	}
	for _, g := range given {
		if _, err := archive.Run(r.Context(), g); err != nil {
			return err
		}
	}
	c.Live.Changed()
	return nil
}

// redeliverLast has the latest webhook delivered once more.
func (c *Console) redeliverLast(w http.ResponseWriter, r *http.Request) {
	letters := c.Post.Letters()
	chosen := choose(r.PostForm)
	if len(letters) == 0 {
		c.renderTry(r.Context(), w, http.StatusUnprocessableEntity, chosen, "",
			[]problem{{"trouble-redeliver", "Send a text or an email first: there is no webhook to deliver again"}})
		return
	}
	letter, err := c.Post.Again(r.Context(), letters[len(letters)-1].Trace)
	if err != nil {
		c.unreachable(w, err)
		return
	}
	back(w, r, chosen, "again", letter.Status)
}
