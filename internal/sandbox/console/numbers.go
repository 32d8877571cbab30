package console

import (
	"net/http"
	"time"

	"github.com/govwifi/user-signup/internal/sandbox/people"
	"github.com/govwifi/user-signup/internal/sandbox/year"
)

// numbersPage is the figures of a year, as far as they are counted.
type numbersPage struct {
	Figures year.Figures
	SignUps bars
	Rates   lines
	Queues  []queueSize
}

func (c *Console) showNumbers(w http.ResponseWriter, r *http.Request) {
	f := c.Year.Figures()
	page := numbersPage{Figures: f, Queues: c.queues(r.Context())}
	if f.Ready() {
		page.SignUps, page.Rates = signUps(f.Days), rates(f.Months)
	}
	c.show(w, http.StatusOK, "numbers", frame{Title: "Numbers", Path: "/numbers", Page: page})
}

// peopleShown is how many rows the table has: it is there to be looked at.
const peopleShown = 50

type peoplePage struct {
	People []people.Person
	Total  int
	Now    time.Time
}

func (c *Console) showPeople(w http.ResponseWriter, r *http.Request) {
	list, total, err := c.People.Latest(r.Context(), peopleShown)
	if err != nil {
		c.Log.Error("the table of users cannot be shown", "err", err)
		http.Error(w, "the table of users cannot be read; the sandbox's log says why", http.StatusInternalServerError)
		return
	}
	c.show(w, http.StatusOK, "people", frame{Title: "People", Path: "/people", Page: peoplePage{list, total, time.Now()}})
}
