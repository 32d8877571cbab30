package job

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/govwifi/user-signup/internal/govwifi"
)

// RecoverTexts finds texts in GOV.UK Notify, which keeps them for 7 days, whose webhook
// never reached us, and enqueues the jobs that answer them.
type RecoverTexts struct{ Recovery }

// Spec leaves an hour for each attempt.
func (RecoverTexts) Spec() Spec { return recoverySpec("recover-texts") }

// Key is the run.
func (j RecoverTexts) Key() string { return "recover-texts-" + j.Tick }

// textAge is how old a text must be: Notify itself tries its webhook for 25 minutes.
const textAge = 30 * time.Minute

// RecoverTextsHandler walks from the newest text back. All texts of the time are held in
// memory, since one that is too many is told by those before it; they are some hundred
// bytes each.
type RecoverTextsHandler struct {
	Notify interface {
		// ReceivedTextPage is a page of texts, newest first, with Number as Notify has
		// it; only an empty one is the last.
		ReceivedTextPage(ctx context.Context, olderThan string) ([]Text, error)
	}
	Jobs LostJobs
	// Count is told how many events were recovered.
	Count func(jobName string, recovered int)
	Pause Pause
	Now   func() time.Time
	Log   *slog.Logger
}

// Handle follows docs/rules.md, Periodic jobs. A text is judged as ingest judges it, and
// its job has the key that ingest would give it.
func (h RecoverTextsHandler) Handle(ctx context.Context, j RecoverTexts) error {
	now := h.Now()
	since := j.since(now)
	// The texts before a text decide whether it is one too many.
	texts, err := h.read(ctx, since.Add(-govwifi.SameTextWindow))
	if err != nil {
		return fmt.Errorf("recover texts: %w", err)
	}
	repeats := repeatsAmong(texts)
	var n found
	var answers []Job
	for i := len(texts) - 1; i >= 0; i-- { // who has waited longest comes first
		t := texts[i]
		if t.ReceivedAt.Before(since) || now.Sub(t.ReceivedAt) < textAge {
			continue
		}
		n.events++
		answer, nothing := AnswerTo(t)
		if nothing != "" || repeats[t.MessageID] {
			n.ignored++
			continue
		}
		answers = append(answers, answer)
	}
	n.recovered, err = h.enqueue(ctx, answers)
	h.Count(j.Spec().Name, n.recovered)
	h.Log.InfoContext(ctx, "lost texts were looked for", "since", since.UTC().Format(time.RFC3339),
		"texts", n.events, "need_nothing", n.ignored, "recovered", n.recovered, "finished", err == nil)
	if err != nil {
		return fmt.Errorf("recover texts: %w", err)
	}
	return nil
}

func (h RecoverTextsHandler) enqueue(ctx context.Context, answers []Job) (recovered int, err error) {
	missing, err := h.Jobs.Missing(ctx, answers)
	if err != nil || len(missing) == 0 {
		return 0, err
	}
	if err := h.Pause(ctx); err != nil {
		return 0, fmt.Errorf("wait for jobs that may be under way: %w", err)
	}
	if missing, err = h.Jobs.Missing(ctx, missing); err != nil {
		return 0, err
	}
	for i, j := range missing {
		if err := h.Jobs.Enqueue(ctx, j); err != nil {
			return i, err
		}
	}
	return len(missing), nil
}

// read returns the texts back to a time, newest first, as recovered ones with our key.
func (h RecoverTextsHandler) read(ctx context.Context, since time.Time) ([]Text, error) {
	var texts []Text
	seen := map[string]bool{}
	for olderThan := ""; ; {
		page, err := h.Notify.ReceivedTextPage(ctx, olderThan)
		if err != nil {
			return nil, slower(err)
		}
		if len(page) == 0 {
			return texts, nil
		}
		for _, t := range page {
			// A stand-in that ignores older_than would give the same page for ever.
			if t.ReceivedAt.Before(since) || seen[t.MessageID] {
				return texts, nil
			}
			olderThan, seen[t.MessageID] = t.MessageID, true
			t.MessageID, t.Recovered = EventKey(t.MessageID), true
			texts = append(texts, t)
		}
	}
}

func repeatsAmong(texts []Text) map[string]bool {
	var incoming []govwifi.IncomingText
	for _, t := range texts {
		if number, err := govwifi.ParsePhone(t.Number); err == nil {
			incoming = append(incoming, govwifi.IncomingText{ID: t.MessageID, From: number, Text: t.Text, At: t.ReceivedAt})
		}
	}
	return govwifi.Repeats(incoming)
}
