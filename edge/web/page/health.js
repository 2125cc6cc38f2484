// How the device is: cameras and speed as they are now, the doctor's quick findings, the last errors.
import { get } from "./api.js";
import { make } from "./dom.js";
import { ms, stages } from "./live.js";
import { count, say, when } from "./words.js";

function camera(state) {
  const rate = state.rate === null ? "–" : state.rate.toFixed(1);
  const rows = [["rate", rate], ["latency", ms(state.latency_ms)], ["stages", ...stages(state.latency_stages_ms)],
    ["age", ms(state.frame_age_ms)], ["frames", count(state.frames)]];
  const trouble = state.error ? [make("div", { className: "problem" }, state.error)] : [];
  return make("div", { className: "camera" }, make("b", {}, state.label || state.source || "–"), ...trouble,
    make("dl", {}, ...rows.flatMap(([key, ...values]) => [make("dt", {}, say(key)), make("dd", {}, ...values)])));
}

function processor(found) {
  const percent = found.processor_share === null ? "–" : Math.round(100 * found.processor_share);
  const load = found.load_1min === null ? "–" : found.load_1min.toFixed(1);
  return say("processor_use", { percent, cores: found.cores, load });
}

export async function health(view) {
  const found = await get("api/health");
  const rows = found.findings.map((one) => make("li", {}, make("b", { className: one.state }, `${one.check}: `),
    one.text, ...(one.remedy ? [make("div", { className: "soft" }, `→ ${one.remedy}`)] : [])));
  const errors = found.errors.map((one) => make("li", {}, make("span", { className: "soft" }, when(one.at)), " ", one.error));
  const none = () => make("li", { className: "soft" }, say("all_well"));
  const cameras = make("div", { id: "cameras" });
  const section = (key, ...children) => make("section", {}, make("h2", {}, say(key)), ...children);
  view.replaceChildren(make("h1", {}, say("health")), make("div", { className: "side" },
    section("cameras", cameras), section("processor", processor(found)), section("bundle", found.bundle),
    section("findings", make("ul", { className: "plain" }, ...(rows.length ? rows : [none()]))),
    section("errors", make("ul", { className: "plain" }, ...(errors.length ? errors : [none()])))));
  return { update: (state) => {
    const all = state.sources && state.sources.length > 1 ? state.sources : [state];
    cameras.replaceChildren(...all.map(camera));
  } };
}
