// Views behind tabs (WAI-ARIA: one tab is in the tab order, arrows move among them).
import { failed, make } from "./dom.js";
import { health } from "./health.js";
import { live, state } from "./live.js";
import { people } from "./people.js";
import { recent, unknown } from "./visits.js";
import { loadWords, say } from "./words.js";

const VIEWS = { live, recent, people, unknown, health };
const view = document.getElementById("view");
const tabs = document.getElementById("tabs");
let shown = {};

async function show(name) {
  if (shown.leave) shown.leave();
  shown = {};
  for (const tab of tabs.children) {
    const chosen = tab.dataset.view === name;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
  }
  history.replaceState(null, "", `#${name}`);
  try {
    shown = (await VIEWS[name](view)) || {};
  } catch (problem) {
    failed(problem);
  }
}

async function refresh() {
  const [dot, source] = [document.getElementById("dot"), document.getElementById("source")];
  try {
    const found = await state();
    dot.className = found.error ? "lost" : "";
    source.textContent = found.error || found.source;
    if (shown.update) shown.update(found);
  } catch {
    dot.className = "lost";
    source.textContent = say("no_answer");
  } finally {
    setTimeout(refresh, 500);
  }
}

await loadWords();
for (const name of Object.keys(VIEWS)) {
  tabs.append(make("button", { type: "button", role: "tab", "data-view": name, "aria-controls": "view",
    onclick: () => show(name) }, say(name)));
}
tabs.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const all = [...tabs.children];
  const next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
  next.focus();
  next.click();
});
const asked = location.hash.slice(1);
await show(asked in VIEWS ? asked : "live");
refresh();
