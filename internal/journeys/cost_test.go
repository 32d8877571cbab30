package journeys

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// signUpCommands is what the scripts of one sign-up by text may do in Redis: enqueue,
// take, look for loops, take from the budget, end. A change that needs more raises it
// here, knowingly: all workers share one Redis.
const signUpCommands = 27

// polls are the commands of which a look into an empty queue consists. They come by the
// second and are not counted.
var polls = []string{"cmdstat_evalsha", "cmdstat_exists", "cmdstat_rpoplpush", "cmdstat_info"}

// The cost of a sign-up for Redis does not creep up.
func TestCostOfASignUp(t *testing.T) {
	h := newHouse(t).open().work()
	rdb := redis.NewClient(&redis.Options{Addr: h.redis.Addr})
	t.Cleanup(func() { _ = rdb.Close() })
	commands := func() (n int) {
		stats, err := rdb.InfoMap(t.Context(), "commandstats").Result()
		if err != nil {
			t.Fatal(err)
		}
		for name, line := range stats["Commandstats"] {
			if slices.Contains(polls, name) {
				continue
			}
			calls, err := strconv.Atoi(strings.TrimPrefix(strings.Split(line, ",")[0], "calls="))
			if err != nil {
				t.Fatal(err)
			}
			n += calls
		}
		return n
	}
	h.deliver(h.world.Text("447700900999", "Go")) // loads the scripts
	h.received(1)
	const people = 100
	before := commands()
	for i := range people {
		h.deliver(h.world.Text(fmt.Sprintf("447700900%03d", i), "Go"))
	}
	h.received(people + 1)
	if got := float64(commands()-before) / people; got > signUpCommands {
		t.Errorf("%.1f Redis commands a sign-up, more than %d", got, signUpCommands)
	} else {
		t.Logf("%.1f Redis commands a sign-up", got)
	}
}
