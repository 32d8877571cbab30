package faultrun

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// settlePatience is how long everything may take to be done when the faults have ceased.
// A killed worker's job waits up to 170 s for its lease to be found expired, then 36 s for
// Notify to be done with it; a job that failed several times has a back-off of minutes.
const settlePatience = 7 * time.Minute

var (
	queues = []string{"interactive", "batch", "maintenance"}
	// waiting are the states of jobs that are not done with.
	waiting = []string{"pending", "active", "scheduled", "retry"}
)

// settle waits until every queue is empty, and still is a moment later.
func settle(w *scene, r *report) {
	calm, told := 0, time.Now()
	for deadline := time.Now().Add(settlePatience); calm < 3; time.Sleep(time.Second) {
		left, err := unsettled(w)
		switch {
		case err == nil && len(left) == 0:
			calm++
			continue
		case time.Now().After(deadline):
			r.wrong("not settled %s after the last fault: %v %v", settlePatience, left, err)
			return
		}
		calm = 0
		if time.Since(told) > 20*time.Second {
			r.say("waiting for %v", strings.Join(left, ", "))
			told = time.Now()
		}
	}
}

// unsettled counts the jobs that are not done with, by queue and state.
func unsettled(w *scene) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var left []string
	for _, queue := range queues {
		for _, state := range waiting {
			ids, err := jobs(ctx, w, queue, state)
			if err != nil {
				return nil, err
			}
			if len(ids) > 0 {
				left = append(left, fmt.Sprintf("%s %s %d", queue, state, len(ids)))
			}
		}
	}
	return left, nil
}

// jobs are the keys of a queue's jobs in a state: lists for those that may run, sorted
// sets for the others.
func jobs(ctx context.Context, w *scene, queue, state string) ([]string, error) {
	key := fmt.Sprintf("asynq:{%s}:%s", queue, state)
	if state == "pending" || state == "active" {
		return w.store.rdb.LRange(ctx, key, 0, -1).Result()
	}
	return w.store.rdb.ZRange(ctx, key, 0, -1).Result()
}

// recoverBy runs the jobs that look for what never arrived, where this release has them:
// they must find nothing that is done already.
func recoverBy(w *scene, r *report) {
	scheduler := filepath.Join(filepath.Dir(w.scheduler[0].argv[0]), "scheduler")
	by := func(args ...string) (string, error) {
		cmd := exec.Command(scheduler, args...)
		cmd.Env = w.byHand
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	known, err := by("jobs")
	if err != nil {
		r.wrong("scheduler jobs: %v\n%s", err, known)
	}
	ran := false
	for _, name := range []string{"recover-texts", "recover-mail"} {
		if !strings.Contains(known, name) {
			continue
		}
		ran = true
		r.say("%s by hand", name)
		if out, err := by("run", name, "-wait"); err != nil {
			r.wrong("scheduler run %s: %v\n%s", name, err, out)
		}
	}
	if ran {
		settle(w, r)
	}
}
