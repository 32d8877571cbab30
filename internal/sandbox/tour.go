package sandbox

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/govwifi/user-signup/internal/sandbox/console"
)

// Tour plays each journey on the page: it waits until the page is open, has it show the
// phone or the mailbox that the journey is about, says what is going on, and rests.
func (s *Sandbox) Tour(ctx context.Context, out io.Writer, rest time.Duration) error {
	printf(out, "The tour begins when %s is open.\n", s.Console)
	if err := s.live.Watched(ctx); err != nil {
		return nil // ended before it began
	}
	for _, j := range journeys() {
		printf(out, "▶ %s\n", j.title)
		s.live.Show(console.Scene{Path: j.path(), Caption: j.title})
		if !pause(ctx, rest) {
			return nil
		}
		if _, err := j.send(ctx, s.Post); err != nil {
			return fmt.Errorf("play the journey %q: %w", j.title, err)
		}
		if err := s.await(ctx, j.wants, time.Now(), io.Discard); err != nil {
			return err
		}
		if !pause(ctx, rest) {
			return nil
		}
	}
	s.live.Show(console.Scene{Path: "/numbers", Caption: "A year of sign-ups, counted by the service’s statistics jobs"})
	if !pause(ctx, 2*rest) {
		return nil
	}
	s.live.Show(console.Scene{Path: "/", Caption: ""})
	printf(out, "The tour is over; the sandbox goes on until Ctrl-C.\n")
	return nil
}

// path is the page as whoever writes has it before them.
func (j journey) path() string {
	return "/?" + url.Values{"phone": {j.phone}, "from": {j.mailbox}}.Encode()
}

// pause rests, and says false at the end.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
