// The page works without this script. With it, forms are posted without leaving the
// page, and the parts marked data-live follow what happens.
"use strict";

// merge makes a live list or table look as the server has it now, and touches only what
// differs: focus, selection and opened mails stay.
function merge(now, next) {
  if (now.isEqualNode(next)) return;
  const keyed = [...next.children].some((child) => child.id);
  for (const { name, value } of next.attributes) if (now.getAttribute(name) !== value) now.setAttribute(name, value);
  for (const { name } of [...now.attributes]) if (!next.hasAttribute(name)) now.removeAttribute(name);
  if (!keyed) {
    now.replaceChildren(...next.childNodes);
    return;
  }
  const byId = new Map([...now.children].map((child) => [child.id, child]));
  let place = now.firstElementChild;
  for (const child of [...next.children]) {
    const known = byId.get(child.id);
    byId.delete(child.id);
    if (!known) {
      now.insertBefore(child, place);
      continue;
    }
    if (known === place) place = place.nextElementSibling;
    else now.insertBefore(known, place);
    if (!known.isEqualNode(child)) renew(known, child);
  }
  for (const gone of byId.values()) gone.remove();
}

// renew puts a changed entry in place of the old one, with the same details open and the
// focus on the same button.
function renew(known, child) {
  const open = [...known.querySelectorAll("details")].map((d) => d.open);
  child.querySelectorAll("details").forEach((d, i) => { if (i < open.length) d.open = open[i]; });
  const buttons = [...known.querySelectorAll("button, summary, a")];
  const focused = buttons.indexOf(document.activeElement);
  known.replaceWith(child);
  if (focused >= 0) [...child.querySelectorAll("button, summary, a")][focused]?.focus();
}

function show(page, alsoForms) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = page.getElementById(part.id);
    if (!next) continue;
    const follow = part.hasAttribute("data-follow");
    const atEnd = part.scrollTop + part.clientHeight > part.scrollHeight - 40;
    merge(part, next);
    if (follow && atEnd) part.scrollTop = part.scrollHeight;
  }
  if (!alsoForms) return;
  for (const id of ["errors", "told"]) document.getElementById(id).replaceChildren(...page.getElementById(id).childNodes);
  document.title = page.title;
}

async function load(response) {
  if (!response.ok && response.status !== 422) throw new Error(await response.text());
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

// tell says that something went wrong where a reader hears it.
function tell(text) { document.getElementById("told").textContent = text; }

// refresh fetches the page again; what comes meanwhile is fetched once, afterwards. An
// answer is thrown away if a form or the tour has led elsewhere since.
let fetching = false, again = false;
async function refresh() {
  if (fetching) { again = true; return; }
  fetching = true;
  try {
    const from = location.href;
    const page = await load(await fetch(location.pathname + location.search));
    if (from === location.href) show(page, false);
    else again = true;
  } catch {
    tell("The sandbox does not answer. Is it still running?");
  }
  fetching = false;
  if (again) { again = false; refresh(); }
}

// marks shows the faults of a form beside its fields, as the server has them, and keeps
// what was typed.
function marks(form, page) {
  for (const input of form.querySelectorAll("input[id], textarea[id]")) {
    const field = input.closest(".field"), next = page.getElementById(input.id);
    if (!field || !next) continue;
    const nextField = next.closest(".field");
    field.className = nextField.className;
    field.querySelector(".error")?.remove();
    const error = nextField.querySelector(".error");
    if (error) input.before(error);
    for (const name of ["aria-invalid", "aria-describedby"]) {
      if (next.hasAttribute(name)) input.setAttribute(name, next.getAttribute(name));
      else input.removeAttribute(name);
    }
  }
}

async function send(event) {
  const form = event.target, button = event.submitter;
  if (!form.hasAttribute("data-send") && !form.closest("[data-live]")) return;
  event.preventDefault();
  const data = new FormData(form, button);
  const body = form.enctype === "multipart/form-data" ? data : new URLSearchParams(data);
  tell("");
  try {
    const response = await fetch(form.action, { method: "POST", body });
    const page = await load(response);
    marks(form, page);
    const summary = page.querySelector(".summary");
    if (!summary) {
      const url = new URL(response.url);
      if (form.id !== "switches") history.replaceState(null, "", url.pathname + url.search);
      for (const field of form.querySelectorAll("[data-clear]")) field.value = "";
    }
    show(page, true);
    document.querySelector(".summary")?.focus();
  } catch (error) {
    tell(error.message || "The sandbox does not answer. Is it still running?");
  }
}

// scene is where the tour has the page go.
function scene({ path, caption }) {
  const line = document.getElementById("caption");
  line.hidden = !caption;
  line.textContent = caption;
  if (!path) return;
  const url = new URL(path, location.href);
  if (url.pathname !== location.pathname) { location.assign(url); return; }
  history.replaceState(null, "", url.pathname + url.search);
  for (const [id, name] of [["phone-number", "phone"], ["mail-from", "from"]]) {
    const value = url.searchParams.get(name), input = document.getElementById(id);
    if (value && input) input.value = value;
  }
  refresh();
}

document.addEventListener("submit", send);
document.addEventListener("click", (event) => {
  const field = event.target.closest(".summary a")?.getAttribute("href");
  if (!field) return;
  event.preventDefault();
  document.querySelector(field)?.focus();
});
document.querySelectorAll("[data-follow]").forEach((part) => { part.scrollTop = part.scrollHeight; });
const live = new EventSource("/live");
live.addEventListener("change", refresh);
live.addEventListener("scene", (event) => scene(JSON.parse(event.data)));
addEventListener("pagehide", () => live.close());
