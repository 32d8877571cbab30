package journeys

import (
	"strings"
	"testing"

	"github.com/govwifi/user-signup/internal/testenv"
	"github.com/govwifi/user-signup/internal/worker"
)

// MySQL away: the text is taken, its job waits, and once MySQL is back the sender is
// answered, once.
func TestMySQLAway(t *testing.T) {
	t.Parallel()
	server := testenv.NewMySQLServer(t)
	d := server.MySQLDatabase
	h := furnish(t, d, worker.Database{Hostname: d.Host, Name: d.Name, User: d.User, Pass: d.Pass}).open().work()
	h.deliver(h.world.Text("447700900456", "Go"))
	h.received(1)
	server.Stop()
	event := h.world.Text("447700900123", "Go")
	h.deliver(event)
	h.await("a retry", func() bool { return strings.Contains(h.log.String(), "outcome=retry") })
	if got := h.notify.Accepted(); len(got) != 1 {
		t.Errorf("received %+v without MySQL", got)
	}
	server.Start()
	h.received(2)
	h.await("the job to be done", func() bool { return done(h.log.String(), event.ID) })
	user := h.user("+447700900123")
	if got := h.notify.Accepted(); len(got) != 2 || got[1].Reference != event.ID || got[1].Personalisation["login"] != user.Username {
		t.Errorf("received %+v", got)
	}
	if strings.Contains(h.log.String(), "outcome=archived") {
		t.Errorf("a job was given up:\n%s", h.log)
	}
}
