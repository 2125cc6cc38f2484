// Cards of visits: recent ones, and those of nobody known.
import { get } from "./api.js";
import { button, failed, make } from "./dom.js";
import { chooseName, newName, rule } from "./rulings.js";
import { say, when } from "./words.js";

const whoOf = (visit) => visit.named || (visit.denied.includes(visit.person) ? null : visit.person);

function face(visit) {
  if (!visit.has_face) return make("div", { className: "noface" }, say("no_face"));
  return make("img", { src: `api/visits/${visit.visit}/face.jpg`, loading: "lazy",
    alt: say("face_of", { number: visit.visit }) });
}

function card(visit, again) {
  const who = whoOf(visit);
  const words = [];
  if (visit.named) words.push(say("by_word", { name: visit.named }));
  for (const name of visit.denied) words.push(say("denied", { name }));
  const score = visit.score === null ? "" : say("against",
    { score: visit.score.toFixed(2), threshold: visit.threshold.toFixed(2) });
  const acts = [button(say("this_is"), () => chooseName([visit.visit], again))];
  if (who) acts.push(button(say("not_name", { name: who }), () => rule([visit.visit], "is-not", who, again)));
  acts.push(button(say("new"), () => newName([visit.visit], again)));
  return make("li", {}, make("article", { "data-visit": visit.visit, "aria-label": say("visit", { number: visit.visit }) },
    face(visit),
    make("div", { className: `who ${who ? "match" : visit.decision}` }, who || say(`state_${visit.decision}`)),
    make("div", { className: "soft" }, score),
    make("div", { className: "soft" }, when(visit.at)),
    make("div", { className: "soft" }, say("lasted", { seconds: Math.round(visit.lasted_s), source: visit.source })),
    ...words.map((text) => make("div", { className: "soft" }, text)),
    make("div", { className: "row" }, ...acts)));
}

export async function recent(view) {
  const { visits } = await get("api/visits?last=60");
  const again = () => recent(view).catch(failed);
  view.replaceChildren(make("h1", {}, say("recent")), visits.length
    ? make("ul", { className: "cards" }, ...visits.map((visit) => card(visit, again)))
    : make("p", { className: "soft" }, say("no_visits")));
}

export async function unknown(view) {
  const { groups } = await get("api/unknown");
  const again = () => unknown(view).catch(failed);
  const row = (group) => make("li", {}, make("article", { "data-group": group.visits.join(" ") },
    face({ has_face: group.face !== null, visit: group.face }),
    make("div", { className: "who unknown" }, say("unknown_group", { count: group.visits.length, when: when(group.last) })),
    make("div", { className: "soft" }, group.source),
    make("div", { className: "row" }, button(say("this_is"), () => chooseName(group.visits, again)),
      button(say("new"), () => newName(group.visits, again)))));
  view.replaceChildren(make("h1", {}, say("unknown")), groups.length
    ? make("ul", { className: "cards" }, ...groups.map(row))
    : make("p", { className: "soft" }, say("no_unknown")));
}
