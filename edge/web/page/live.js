// What the camera sees now: picture, orders of a challenge, faces, figures, events.
import { get } from "./api.js";
import { button, make } from "./dom.js";
import { clock, count, say, translated } from "./words.js";

const CHALLENGE = "challenge for ";
export const ms = (value) => value === null ? "–" : `${Math.round(value)} ms`;
export const stages = (found) => Object.entries(found || {})
  .map(([key, value]) => make("div", { className: "soft" }, `${say(`stage_${key}`)} ${ms(value)}`));
const track = (number) => number === null ? [] : [make("span", { className: "soft" }, `#${number}`)];

export function live(view) {
  const pictures = make("div", { className: "side", id: "pictures" });
  const faces = make("ul", { className: "plain", id: "faces" });
  const events = make("ul", { className: "plain", id: "events" });
  const figures = Object.fromEntries(["latency", "stages", "rate", "age", "frames"].map((key) => [key, make("dd", { id: key }, "–")]));
  const list = make("dl", {}, ...Object.entries(figures).flatMap(([key, value]) => [make("dt", {}, say(key)), value]));
  let [held, labels] = [false, null];
  const hold = button(say("hold"), () => {
    held = !held;
    for (const figure of pictures.children) {
      const [seen, still] = [figure.querySelector("img"), figure.querySelector("canvas")];
      if (held) {
        still.width = seen.naturalWidth;
        still.height = seen.naturalHeight;
        still.getContext("2d").drawImage(seen, 0, 0);
      }
      seen.hidden = held;
      still.hidden = !held;
    }
    hold.textContent = say(held ? "go_on" : "hold");
    hold.setAttribute("aria-pressed", held);
  });
  hold.id = "hold";
  hold.setAttribute("aria-pressed", false);
  const show = (wanted) => {
    if (labels !== null && wanted.join("\n") === labels.join("\n")) return;
    labels = wanted;
    pictures.replaceChildren(...(wanted.length ? wanted : [""]).map((label) => make("figure", {},
      make("img", { src: label ? `stream.mjpg?source=${encodeURIComponent(label)}` : "stream.mjpg", alt: `${say("seen")} ${label}`.trim() }),
      make("canvas", { hidden: true }), make("figcaption", { className: "soft" }, label))));
  };
  show([]);
  const prompts = make("ul", { className: "plain prompts", id: "prompts", role: "status", "aria-live": "assertive", "aria-label": say("prompt") });
  let told = "";
  const order = (faces) => {
    const words = faces.map((face) => face.reason || "").filter((reason) => reason.startsWith(CHALLENGE));
    if (words.join() === told) return;
    told = words.join();
    prompts.replaceChildren(...words.map((text) => make("li", {}, translated(text))));
  };
  view.replaceChildren(make("div", { className: "live" }, make("div", {}, prompts, pictures, make("p", {}, hold)),
    make("div", { className: "side" },
      make("section", {}, make("h2", {}, say("in_picture")), faces),
      make("section", {}, make("h2", {}, say("figures")), list),
      make("section", {}, make("h2", {}, say("events")), events))));
  const update = (state) => {
    if (held) return;
    show((state.sources || []).map((source) => source.label));
    order(state.faces);
    figures.latency.textContent = ms(state.latency_ms);
    figures.stages.replaceChildren(...stages(state.latency_stages_ms));
    figures.rate.textContent = state.rate === null ? "–" : state.rate.toFixed(1);
    figures.age.textContent = ms(state.frame_age_ms);
    figures.frames.textContent = count(state.frames);
    faces.replaceChildren(...(state.faces.length ? state.faces.map(faceRow) : [make("li", { className: "soft" }, say("nobody"))]));
    events.replaceChildren(...(state.events.length ? state.events.map(eventRow) : [make("li", { className: "soft" }, say("none_yet"))]));
  };
  return { update, leave: () => { for (const seen of pictures.querySelectorAll("img")) seen.src = ""; } };
}

function faceRow(face) {
  const waits = (face.reason || "").startsWith(CHALLENGE);
  const reason = face.reason && !waits ? translated(face.reason) : null;
  const who = face.person || reason || say(`state_${face.decision}`);
  const score = face.score === null ? "" : face.score.toFixed(2);
  const shown = (face.shown || [])
    .map((name) => make("span", { className: "soft" }, name.replaceAll("_", " ").toLowerCase()));
  const tasks = Object.entries(face.tasks || {}).filter(([, task]) => task.answer !== "no")
    .map(([name, task]) => make("span", { className: "soft" }, name + (task.answer === "yes" ? "" : "?")));
  return make("li", { className: "row face" }, make("b", { className: `who ${face.decision}` }, who),
    ...track(face.track), ...tasks, ...shown, make("span", { className: "soft" }, score));
}

function eventRow(event) {
  const words = say(event.event === "arrived" ? "come" : "gone", { who: event.person || say("somebody") });
  return make("li", { className: "row" }, make("time", { className: "soft" }, clock(event.at)),
    make("span", {}, words), ...track(event.track));
}

const sum = (values) => values.reduce((total, value) => total + (value || 0), 0);

function together(state) {
  const sources = state.sources || [];
  if (sources.length < 2) return state;
  return { ...state, error: sources.map((source) => source.error).find((text) => text) || null,
    faces: sources.flatMap((source) => source.faces), rate: sum(sources.map((source) => source.rate)) || null,
    frames: sum(sources.map((source) => source.frames)), source: sources.map((source) => source.label).join(", ") };
}

export const state = async () => together(await get("state.json"));
