package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a page may take for anything that needs no waiting for a lease.
const patience = 30 * time.Second

// The widths at which every journey is made.
var widths = map[string][2]int64{"phone": {390, 844}, "desktop": {1440, 1000}}

// tab is a page in a headless Chromium.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu     sync.Mutex
	faults []string
	// allowed are parts of console messages that the test brings about.
	allowed []string
}

// chromium is one headless Chromium for all tests; closeChromium ends it.
var (
	closeChromium = func() {}
	chromium      = sync.OnceValue(func() context.Context {
		// Without Chromium's own sandbox, which root may not use: it sees our pages only, as
		// no name is resolved (asynqmon would fetch fonts from the internet).
		options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.WindowSize(1600, 1000),
			chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"))
		ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, cancel := chromedp.NewContext(ctx)
		closeChromium = func() { cancel(); stop() }
		_ = chromedp.Do(ctx) // the first call has the browser live as long as this context; its error is the next call's
		return ctx
	})
)

// browse opens a page of its own until the test ends.
func browse(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := chromedp.NewContext(chromium())
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// visit opens a page at one of the widths. Whatever the browser's console complains of
// fails the test.
func visit(t *testing.T, width, url string) *tab {
	t.Helper()
	b := &tab{t: t, ctx: browse(t)}
	err := chromedp.Listen(b.ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			b.complain((&chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails}).Error())
		case *runtime.EventConsoleAPICalled:
			b.complain(fmt.Sprintf("console.%s: %v", e.Type, e.Args))
		case *log.EventEntryAdded:
			b.complain(fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
		}
	})
	if err != nil {
		t.Fatalf("start Chromium (apt-get install chromium): %v", err)
	}
	size := widths[width]
	b.do("open "+url, chromedp.EmulateViewport(size[0], size[1]), chromedp.Navigate(url))
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, fault := range b.faults {
			t.Errorf("the browser's console: %s", fault)
		}
		if t.Failed() {
			_, _ = fmt.Fprintln(t.Output(), "set PICTURES=folder for pictures of each step")
		}
	})
	return b
}

func (b *tab) complain(fault string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, allowed := range b.allowed {
		if strings.Contains(fault, allowed) {
			return
		}
	}
	b.faults = append(b.faults, fault)
}

// allow lets the console say what the test itself brings about.
func (b *tab) allow(part string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.allowed = append(b.allowed, part)
}

func (b *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.picture("failed")
		b.t.Fatalf("%s: %v\n%s", what, err, b.text("body"))
	}
}

// click presses what a CSS selector finds, having brought it into view.
func (b *tab) click(selector string) {
	b.t.Helper()
	b.do("click "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// follow clicks a link, and returns when the page it leads to is there.
func (b *tab) follow(selector string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(selector))); err != nil {
		b.t.Fatalf("follow %s: %v", selector, err)
	}
}

// fill puts a text in place of what a field holds.
func (b *tab) fill(selector, text string) {
	b.t.Helper()
	b.do("fill "+selector, chromedp.Evaluate[chromedp.Void](fmt.Sprintf("void (document.querySelector(%q).value = '')", selector)),
		chromedp.SendKeys(chromedp.CSS(selector), text))
}

// text is what can be read in an element.
func (b *tab) text(selector string) string {
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector)))
	if err != nil {
		return "(" + err.Error() + ")"
	}
	return text
}

// waitFor returns once an expression is true, which is looked at whenever the page changes
// or the focus moves.
func (b *tab) waitFor(what, expression string, atMost time.Duration) {
	b.t.Helper()
	script := fmt.Sprintf(`new Promise((resolve) => {
		const check = () => { if (%s) { observer.disconnect(); removeEventListener("focusin", check); resolve(true); } };
		const observer = new MutationObserver(check);
		observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
		addEventListener("focusin", check);
		check();
	})`, expression)
	ctx, cancel := context.WithTimeout(b.ctx, atMost)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script, chromedp.EvalAwaitPromise)); err != nil {
		b.picture("failed")
		b.t.Fatalf("wait for %s: %v\n%s", what, err, b.text("body"))
	}
}

// shows waits until an element holds a text.
func (b *tab) shows(selector, text string) { b.t.Helper(); b.showsWithin(selector, text, patience) }

func (b *tab) showsWithin(selector, text string, atMost time.Duration) {
	b.t.Helper()
	b.waitFor(fmt.Sprintf("%s to show %q", selector, text),
		fmt.Sprintf("document.querySelector(%q)?.innerText.includes(%q)", selector, text), atMost)
}

// evaluate decodes what a script gives.
func evaluate[T any](b *tab, script string) T {
	b.t.Helper()
	raw, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]byte](script))
	if err != nil {
		b.t.Fatalf("evaluate: %v", err)
	}
	var value T
	if err := json.Unmarshal(raw, &value); err != nil {
		b.t.Fatalf("evaluate: %v in %s", err, raw)
	}
	return value
}

// picture saves the whole page for whoever wants to look at it.
func (b *tab) picture(name string) {
	dir := os.Getenv("PICTURES")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		return // the picture of a failure must not hide it
	}
	file := strings.NewReplacer("/", "-", " ", "-").Replace(b.t.Name()) + "-" + name + ".png"
	_ = os.WriteFile(filepath.Join(dir, file), png, 0o644)
}
