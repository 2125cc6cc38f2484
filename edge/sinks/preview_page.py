"""The preview's page: one file, nothing loaded from elsewhere."""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>edge-recognize</title>
<style>
:root { color-scheme: light dark; --ground: #f4f2ef; --card: #fff; --ink: #24211e; --soft: #78716c;
  --line: #e7e3de; --match: #2f9e44; --unknown: #e8790c; --uncertain: #b58900;
  --rejected: #8a8580; }
@media (prefers-color-scheme: dark) { :root { --ground: #171614; --card: #211f1d; --ink: #f1eeea;
  --soft: #a39c94; --line: #35322e; --match: #51cf66; --unknown: #ffa94d; --uncertain: #ffd43b; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
header { display: flex; align-items: center; gap: .7rem; padding: .9rem 1.4rem; }
header b { font-size: 1.05rem; }
header span { color: var(--soft); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
button { margin-left: auto; padding: .25rem .9rem; font: inherit; color: inherit; cursor: pointer;
  background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
button[aria-pressed=true] { background: var(--ink); color: var(--card); }
#dot { flex: none; width: .65rem; height: .65rem; border-radius: 50%; background: var(--match); }
#dot.lost { background: #e03131; }
main { display: grid; grid-template-columns: minmax(0, 1fr) 21rem; gap: 1.1rem;
  padding: 0 1.4rem 1.4rem; max-width: 110rem; }
@media (max-width: 60rem) { main { grid-template-columns: minmax(0, 1fr); } }
section, figure { background: var(--card); border: 1px solid var(--line); border-radius: .8rem;
  margin: 0; }
figure { overflow: hidden; align-self: start; background: #000; }
figure img, figure canvas { display: block; width: 100%; min-height: 12rem; max-height: 82vh;
  object-fit: contain; }
figure [hidden] { display: none; }
figcaption { padding: .3rem .9rem; color: #fff; }
#views { display: grid; gap: 1.1rem; align-content: start; }
#views.several { grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); }
aside { display: flex; flex-direction: column; gap: 1.1rem; }
section { padding: .9rem 1.1rem; }
h2 { margin: 0 0 .5rem; font-size: .78rem; letter-spacing: .06em; text-transform: uppercase;
  color: var(--soft); font-weight: 600; }
.face { display: flex; align-items: baseline; gap: .55rem; padding: .2rem 0; }
.face i { flex: none; width: .6rem; height: .6rem; border-radius: .2rem; background: var(--c); }
.face b { font-weight: 600; overflow-wrap: anywhere; }
em { flex: none; font-style: normal; color: var(--soft); font-variant-numeric: tabular-nums; }
.face span { margin-left: auto; color: var(--soft); font-variant-numeric: tabular-nums; }
.match { --c: var(--match); } .unknown { --c: var(--unknown); }
.uncertain { --c: var(--uncertain); } .rejected { --c: var(--rejected); }
dl { display: grid; grid-template-columns: 1fr 1fr; gap: .7rem; margin: 0; }
dt { color: var(--soft); font-size: .85rem; }
dd { margin: 0; font-size: 1.25rem; font-weight: 600; font-variant-numeric: tabular-nums; }
ol { list-style: none; margin: 0; padding: 0; max-height: 22rem; overflow-y: auto; }
ol li { display: flex; gap: .7rem; padding: .28rem 0; border-top: 1px solid var(--line); }
ol li:first-child { border-top: 0; }
time { color: var(--soft); white-space: nowrap; font-variant-numeric: tabular-nums; }
.empty { color: var(--soft); }
</style>
</head>
<body>
<header><i id="dot"></i><b>edge-recognize</b><span id="source"></span>
<button id="hold" aria-pressed="false" title="Hold picture and figures">Hold</button>
</header>
<main>
<div id="views">
<figure><img id="seen" src="stream.mjpg" alt="What the camera sees, with boxes around faces">
<canvas id="held" hidden></canvas></figure></div>
<aside>
<section><h2>In the picture</h2><div id="faces" class="empty">nobody</div></section>
<section><h2>Figures</h2><dl>
<div><dt>Latency</dt><dd id="latency">&ndash;</dd></div>
<div><dt>Pictures per second</dt><dd id="rate">&ndash;</dd></div>
<div><dt>Age of the picture</dt><dd id="age">&ndash;</dd></div>
<div><dt>Pictures judged</dt><dd id="frames">&ndash;</dd></div>
</dl></section>
<section><h2>Last events</h2><ol id="events"><li class="empty">none yet</li></ol></section>
</aside>
</main>
<script>
"use strict";
const at = (id) => document.getElementById(id);
const make = (tag, text, kind) => {
  const element = document.createElement(tag);
  element.textContent = text;
  if (kind) element.className = kind;
  return element;
};
const track = (number) => number === null ? [] : [make("em", "#" + number)];
const tasks = (all) => Object.entries(all).filter(([, task]) => task.answer !== "no")
  .map(([name, task]) => make("em", name + (task.answer === "yes" ? "" : "?")));
const ms = (value) => value === null ? "\\u2013" : Math.round(value) + " ms";
function showFaces(faces) {
  const rows = faces.map((face) => {
    const row = make("div", "", "face " + face.decision);
    const note = face.score === null ? "" : face.score.toFixed(2);
    row.append(make("i", ""), make("b", face.person || face.reason || face.decision),
      ...track(face.track), ...tasks(face.tasks), make("span", note));
    return row;
  });
  at("faces").className = rows.length ? "" : "empty";
  at("faces").replaceChildren(...(rows.length ? rows : ["nobody"]));
}
function showEvents(events) {
  const rows = events.map((event) => {
    const row = make("li", "");
    const words = event.who +
      (event.event === "arrived" ? " arrived" : " left");
    row.append(make("time", new Date(event.at).toLocaleTimeString()), make("span", words),
      ...track(event.track));
    return row;
  });
  at("events").replaceChildren(...(rows.length ? rows : [make("li", "none yet", "empty")]));
}
let held = false;
at("hold").addEventListener("click", () => {
  held = !held;
  for (const figure of document.querySelectorAll("figure")) {
    const [seen, still] = [figure.querySelector("img"), figure.querySelector("canvas")];
    if (held) {
      still.width = seen.naturalWidth;
      still.height = seen.naturalHeight;
      still.getContext("2d").drawImage(seen, 0, 0);
    }
    seen.hidden = held;
    still.hidden = !held;
  }
  at("hold").textContent = held ? "Go on" : "Hold";
  at("hold").setAttribute("aria-pressed", held);
});
function showViews(sources) {
  if (sources.length < 2 || at("views").className) return;
  at("views").className = "several";
  at("views").replaceChildren(...sources.map((source) => {
    const figure = make("figure", "");
    const [seen, still] = [make("img", ""), make("canvas", "")];
    seen.src = "stream.mjpg?source=" + encodeURIComponent(source.label);
    seen.alt = "What " + source.label + " sees, with boxes around faces";
    still.hidden = true;
    figure.append(seen, still, make("figcaption", source.label));
    return figure;
  }));
}
const sum = (values) => values.reduce((total, value) => total + (value || 0), 0);
function together(state) {
  if (state.sources.length < 2) return state;
  const error = state.sources.map((source) => source.error).find((text) => text) || null;
  const faces = state.sources.flatMap((source) => source.faces);
  const rate = sum(state.sources.map((source) => source.rate)) || null;
  const frames = sum(state.sources.map((source) => source.frames));
  const source = state.sources.map((one) => one.label).join(", ");
  return { ...state, error, faces, rate, frames, source };
}
async function refresh() {
  try {
    const answer = await fetch("state.json", { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.status);
    const state = together(await answer.json());
    if (held) return;
    showViews(state.sources);
    at("dot").className = state.error ? "lost" : "";
    at("source").textContent = state.error || state.source;
    at("latency").textContent = ms(state.latency_ms);
    at("rate").textContent = state.rate === null ? "\\u2013" : state.rate.toFixed(1);
    at("age").textContent = ms(state.frame_age_ms);
    at("frames").textContent = state.frames.toLocaleString();
    showFaces(state.faces);
    showEvents(state.events);
  } catch (problem) {
    at("dot").className = "lost";
    at("source").textContent = "the device does not answer";
  } finally {
    setTimeout(refresh, 500);
  }
}
refresh();
</script>
</body>
</html>
"""

LOGIN = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>edge-recognize</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; display: grid; place-items: center; height: 90vh; }
form { display: grid; gap: .8rem; width: min(20rem, 90vw); }
input, button { font: inherit; padding: .5rem .8rem; }
</style>
</head>
<body>
<form method="post" action="login"><label for="token">Token &middot; Kennwort &middot; Clave</label>
<input id="token" name="token" type="password" required autofocus autocomplete="current-password">
<button>edge-recognize</button></form>
</body>
</html>
"""
