package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/govwifi/user-signup/internal/govwifi"
	"github.com/govwifi/user-signup/internal/job"
)

// GivenUp is a job in the archive as operators see it: nothing in it is personal.
type GivenUp struct {
	Job   string
	Queue job.Queue
	Key   string
	// Label says whom the job is about, masked.
	Label string
	// Died is the end of the last attempt; zero for a job that was archived by hand
	// before its first.
	Died time.Time
	// Attempts is how often it was tried since it was queued or last run again.
	Attempts int
	// Reason is the last error, masked.
	Reason string
}

// Selection says which archived jobs are meant. An empty field takes all; Reason is
// found anywhere in a job's reason, whatever its case.
type Selection struct{ Job, Queue, Reason, Key string }

func (s Selection) takes(g GivenUp) bool {
	return (s.Job == "" || s.Job == g.Job) && (s.Queue == "" || s.Queue == string(g.Queue)) && (s.Key == "" || s.Key == g.Key) &&
		strings.Contains(strings.ToLower(g.Reason), strings.ToLower(s.Reason))
}

// archivePage is how many jobs one question to Redis lists.
const archivePage = 500

// List returns the selected jobs, queue by queue, the oldest first.
func (a Archive) List(ctx context.Context, s Selection) ([]GivenUp, error) {
	inspector := a.client.inspector(ctx)
	var selected []GivenUp
	for _, queue := range job.Queues() {
		for page := 1; ; page++ {
			tasks, err := inspector.ListArchivedTasks(string(queue), asynq.PageSize(archivePage), asynq.Page(page))
			if err != nil && !errors.Is(err, asynq.ErrQueueNotFound) {
				return nil, fmt.Errorf("list the archive of the %s queue: %w", queue, errors.Join(err, ctx.Err()))
			}
			for _, task := range tasks {
				if g := givenUp(task); s.takes(g) {
					selected = append(selected, g)
				}
			}
			if len(tasks) == 0 { // asynq leaves out what it cannot decode, so a page may be short
				break
			}
		}
	}
	return selected, nil
}

func givenUp(task *asynq.TaskInfo) GivenUp {
	g := GivenUp{Job: task.Type, Queue: job.Queue(task.Queue), Key: task.ID, Label: Label(task.Type, task.Payload),
		Died: task.LastFailedAt, Attempts: task.Retried, Reason: govwifi.Mask(task.LastErr)}
	if !g.Died.IsZero() {
		g.Attempts++ // asynq counts those that were followed by another
	}
	return g
}

// forget deletes a job that is in the archive. asynq's own "delete" would also take one
// that somebody has run again meanwhile.
var forget = redis.NewScript(`
if redis.call("ZREM", KEYS[2], ARGV[1]) == 0 then return 0 end
redis.call("DEL", KEYS[1])
return 1`)

// Delete forgets a job, and its event with it. False: it is not in the archive any more.
func (a Archive) Delete(ctx context.Context, g GivenUp) (bool, error) {
	prefix := queuePrefix(g.Queue)
	deleted, err := forget.Run(ctx, a.client.rdb, []string{prefix + "t:" + g.Key, prefix + "archived"}, g.Key).Bool()
	if err != nil {
		return false, fmt.Errorf("delete from the archive of the %s queue: %w", g.Queue, err)
	}
	return deleted, nil
}

// queuePrefix is what asynq's keys of a queue begin with.
func queuePrefix(q job.Queue) string { return "asynq:{" + string(q) + "}:" }

// replay moves a job from the archive to those that wait, in one step: whoever is
// killed meanwhile leaves it in the one place or in the other. Its key stays taken
// throughout, so a late redelivery of its event is still no second job. A message in
// protobuf's encoding is changed by what is appended to it: the last value of a field
// counts.
var replay = redis.NewScript(`
if redis.call("ZREM", KEYS[2], ARGV[1]) == 0 then return 0 end
local message = redis.call("HGET", KEYS[1], "msg")
if not message then return 0 end
redis.call("HSET", KEYS[1], "msg", message .. ARGV[2], "state", "pending", "pending_since", ARGV[3])
redis.call("LPUSH", KEYS[3], ARGV[1])
return 1`)

// Run gives a job another run, with all of its patience: asynq's own "run" leaves age
// and count of the attempts as they are, so a job that was given up would be again
// after a single one. The run is no first delivery, so Notify is asked before a message
// is sent again. False: the job is not in the archive any more.
func (a Archive) Run(ctx context.Context, g GivenUp) (bool, error) {
	now := a.client.now().UTC()
	prefix := queuePrefix(g.Queue)
	moved, err := replay.Run(ctx, a.client.rdb, []string{prefix + "t:" + g.Key, prefix + "archived", prefix + "pending"},
		g.Key, asReplayed(now), now.UnixNano()).Bool()
	if err != nil {
		return false, fmt.Errorf("run a job of the %s queue again: %w", g.Queue, err)
	}
	return moved, nil
}

// Fields of asynq's TaskMessage (its internal/proto/asynq.proto). The numbers are its
// wire format; a test reads the result with asynq.
const (
	fieldRetried = 6
	fieldHeaders = 15
)

// asReplayed is what a task's message is told by a replay: no attempt has been made,
// and the header.
func asReplayed(at time.Time) []byte {
	var entry []byte // of a map: its key is field 1, its value field 2
	entry = protowire.AppendTag(entry, 1, protowire.BytesType)
	entry = protowire.AppendString(entry, headerReplayed)
	entry = protowire.AppendTag(entry, 2, protowire.BytesType)
	entry = protowire.AppendString(entry, at.Format(time.RFC3339Nano))

	message := protowire.AppendTag(nil, fieldRetried, protowire.VarintType)
	message = protowire.AppendVarint(message, 0)
	message = protowire.AppendTag(message, fieldHeaders, protowire.BytesType)
	return protowire.AppendBytes(message, entry)
}
