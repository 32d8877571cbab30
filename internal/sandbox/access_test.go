package sandbox

import (
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// faults is what a script finds wrong with a page, a line for each.
func faults(b *tab, script string) []string { return evaluate[[]string](b, script) }

// contrast compares the colour of each visible text with what lies behind it: WCAG 2.2,
// 1.4.3. Text in a chart has its colour in fill.
const contrast = `(() => {
	const parse = (c) => { const m = c.match(/[\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
	const channel = (v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
	const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
	const behind = (element) => {
		let layers = [];
		for (let e = element; e; e = e.parentElement) {
			const c = parse(getComputedStyle(e).backgroundColor);
			layers.push(c);
			if (c[3] === 1) break;
		}
		return layers.reduceRight((below, [r, g, b, a]) => [r, g, b].map((v, i) => v * a + below[i] * (1 - a)), [255, 255, 255]);
	};
	const faults = new Set();
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let node = walker.nextNode(); node; node = walker.nextNode()) {
		const element = node.parentElement;
		if (!node.data.trim() || !element.checkVisibility({ visibilityProperty: true }) || ["SCRIPT", "STYLE", "TITLE"].includes(element.tagName.toUpperCase())) continue;
		if (element.closest(".visually-hidden, .skip:not(:focus), datalist")) continue;
		const style = getComputedStyle(element), svg = element.closest("svg");
		const color = parse(svg ? style.fill : style.color), back = behind(svg ? svg.parentElement : element);
		const [light, dark] = [luminance(color), luminance(back)].sort((a, b) => b - a);
		const ratio = (light + 0.05) / (dark + 0.05);
		const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
		if (ratio < (large ? 3 : 4.5)) faults.add("contrast " + ratio.toFixed(2) + " of " + JSON.stringify(node.data.trim().slice(0, 40)) + " in " + element.className);
	}
	return [...faults];
})()`

// structure is what a screen reader needs: names, labels, landmarks, headings in order,
// and ids that occur once.
const structure = `(() => {
	const faults = [];
	const name = (e) => (e.getAttribute("aria-label") || (e.getAttribute("aria-labelledby") || "").split(" ").map((id) => document.getElementById(id)?.textContent || "").join(" ") ||
		[...(e.labels || [])].map((l) => l.textContent).join(" ") || e.textContent).trim();
	for (const e of document.querySelectorAll("a, button, input:not([type=hidden]), textarea, select, summary, [tabindex='0'], nav, section, table")) {
		const labelled = e.tagName === "TABLE" ? e.caption?.textContent.trim() : ["INPUT", "TEXTAREA", "NAV", "SECTION", "OL"].includes(e.tagName) ? name({ getAttribute: (a) => e.getAttribute(a), labels: e.labels, textContent: "" }) : name(e);
		if (!labelled) faults.push("no name: " + e.outerHTML.slice(0, 120));
	}
	for (const e of document.querySelectorAll("[aria-labelledby], [aria-describedby]")) for (const a of ["aria-labelledby", "aria-describedby"])
		for (const id of (e.getAttribute(a) || "").split(" ").filter(Boolean)) if (!document.getElementById(id)) faults.push(a + " points nowhere: " + id);
	for (const e of document.querySelectorAll("fieldset")) if (!e.querySelector("legend")) faults.push("no legend: " + e.id);
	const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
	for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) faults.push("id twice: " + id);
	if (document.querySelectorAll("h1").length !== 1) faults.push("not one h1");
	let level = 1;
	for (const h of document.querySelectorAll("main h1, main h2, main h3, main h4")) {
		if (+h.tagName[1] > level + 1) faults.push("heading skips a level: " + h.textContent);
		level = +h.tagName[1];
	}
	for (const landmark of ["header", "nav", "main", "footer"]) if (!document.querySelector(landmark)) faults.push("no " + landmark);
	if (!document.documentElement.lang) faults.push("no language");
	if (document.documentElement.scrollWidth > innerWidth) faults.push("wider than the window: " + document.documentElement.scrollWidth + " > " + innerWidth);
	for (const e of document.querySelectorAll("section table")) if (!e.closest(".scroll") && e.getBoundingClientRect().right > e.closest("section").getBoundingClientRect().right) faults.push("sticks out of its section: " + e.id);
	for (const e of document.querySelectorAll("button, input:not([type=hidden]), nav a")) {
		const box = e.getBoundingClientRect();
		if (box.width && (box.height < 24 || box.width < 24)) faults.push("too small to hit: " + e.outerHTML.slice(0, 80));
	}
	return faults;
})()`

// focusable lists what Tab has to reach, in the order of the page.
const focusable = `[...document.querySelectorAll("a[href], button, input:not([type=hidden]), textarea, summary, [tabindex='0']")]
	.filter((e) => e.checkVisibility()).map((e, i) => { e.place = i; return String(i); })`

// focused is where the focus is, and whether it can be seen.
const focused = `(() => {
	const e = document.activeElement, style = getComputedStyle(e);
	const seen = (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
	return [String(e.place ?? ""), String(seen), e.outerHTML.slice(0, 80)];
})()`

// accessible checks a page as it is.
func (b *tab) accessible(name string) {
	b.t.Helper()
	b.still()
	for _, fault := range append(faults(b, contrast), faults(b, structure)...) {
		b.t.Errorf("%s: %s", name, fault)
	}
}

// still waits until nothing moves: what comes in slowly has not its own colours yet. What
// is taken off the page while it moves never finishes, so that its end counts as well.
func (b *tab) still() {
	b.t.Helper()
	b.do("wait for animations to end", chromedp.Evaluate[chromedp.Void](`(async () => {
		const moving = () => document.getAnimations().filter((a) => a.playState === "running");
		while (moving().length) await Promise.allSettled(moving().map((a) => a.finished));
	})()`, chromedp.EvalAwaitPromise))
}

// tabs presses Tab all through the page: everything is reached, in the page's order, and
// seen to be.
func (b *tab) tabs(name string) {
	b.t.Helper()
	want := evaluate[[]string](b, focusable)
	b.do("go to the top", chromedp.Evaluate[chromedp.Void]("document.activeElement.blur(); getSelection().removeAllRanges(); scrollTo(0, 0)"))
	var got []string
	for range want {
		b.do("press Tab", chromedp.KeyEvent(kb.Tab))
		at := evaluate[[]string](b, focused)
		got = append(got, at[0])
		if at[1] != "true" {
			b.t.Errorf("%s: the focus is not seen on %s", name, at[2])
		}
	}
	if !slices.Equal(got, want) {
		b.t.Errorf("%s: Tab goes to %v of %v", name, got, want)
	}
}

// Every page, empty and in use, at both widths.
func TestAccessible(t *testing.T) {
	t.Parallel()
	for width := range widths {
		t.Run(width, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			b := visit(t, width, s.Console)
			b.accessible("empty")
			b.tabs("empty")
			b.do("skip to the content", chromedp.Evaluate[chromedp.Void]("document.activeElement.blur(); scrollTo(0, 0)"), chromedp.Navigate(s.Console),
				chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter))
			b.waitFor("the focus to be on the content", "document.activeElement.id === 'main'", patience)
			if err := s.Demo(t.Context(), t.Output()); err != nil {
				t.Fatal(err)
			}
			b.do("open the page", chromedp.Navigate(s.Console))
			b.shows("#inbox", "3 GovWifi accounts")
			b.accessible("in use")
			b.tabs("in use")
			b.picture("in-use")
			b.do("open the people", chromedp.Navigate(s.Console+"/people"))
			b.accessible("people")
			b.tabs("people")
			b.picture("people")
		})
	}
}
