// Who is known: looks, bounds, forgetting, taking the last word back.
import { get, post, remove } from "./api.js";
import { button, closeDialog, failed, make, openDialog, toast } from "./dom.js";
import { enrol } from "./enrol.js";
import { say } from "./words.js";

export async function people(view) {
  const found = await get("api/people");
  const again = () => people(view).catch(failed);
  const undo = button(say("undo"), async () => {
    try {
      await post("api/undo");
      toast(say("undone"));
    } catch (problem) {
      failed(problem);
    }
    again();
  });
  undo.id = "undo";
  const start = button(say("enrol"), () => enrol(again), "act");
  start.id = "enrol";
  undo.disabled = !found.can_undo;
  const notes = found.encrypted === false ? [make("p", { className: "warning" }, say("not_encrypted"))] : [];
  view.replaceChildren(make("h1", {}, say("people")), make("p", { className: "row" }, start, undo), ...notes,
    found.people.length
      ? make("ul", { className: "cards" }, ...found.people.map((person) => card(person, again)))
      : make("p", { className: "soft" }, say("no_people")));
}

function card(person, again) {
  const lines = [];
  if (person.looks) lines.push(say("looks", { count: person.looks }));
  lines.push(say("threshold", { value: person.threshold_held.toFixed(2) }));
  if (person.far_upper_95 !== null && person.far_upper_95 !== undefined) {
    lines.push(say("far", { percent: (100 * person.far_upper_95).toPrecision(2) }));
  }
  if (person.frr_upper_95 !== null && person.frr_upper_95 !== undefined) {
    lines.push(say("frr", { rejected: person.groups_rejected, groups: person.groups, percent: (100 * person.frr_upper_95).toPrecision(2) }));
  }
  const warnings = person.warnings.map((text) => make("li", { className: "warning" }, text));
  return make("li", {}, make("article", {}, make("h2", { className: "who" }, person.name),
    make("ul", { className: "plain soft" }, ...[...lines, ...person.words].map((text) => make("li", {}, text)), ...warnings),
    make("div", { className: "row" }, button(say("rename"), () => rename(person.name, again)),
      button(say("forget"), () => forget(person.name, again), "bad"))));
}

function rename(old, again) {
  const name = make("input", { id: "new-name", required: true, maxLength: 120, value: old, "aria-label": say("name"), autocomplete: "off" });
  const form = make("form", { className: "changes", onsubmit: async (event) => {
    event.preventDefault();
    try {
      const done = await post(`api/people/${encodeURIComponent(old)}/name`, { name: name.value.trim() });
      toast(say("renamed", { old, name: done.new }));
      closeDialog();
      again();
    } catch (problem) {
      failed(problem);
    }
  } }, name, make("div", { className: "row" }, make("button", { className: "act" }, say("rename")),
    button(say("cancel"), closeDialog)));
  openDialog(say("rename_who", { name: old }), form);
  name.select();
}

function forget(name, again) {
  openDialog(say("forget_sure", { name }), make("p", {}, say("forget_text")),
    make("div", { className: "row" }, button(say("forget"), async () => {
      try {
        await remove(`api/people/${encodeURIComponent(name)}`);
        toast(say("forgotten", { name }));
      } catch (problem) {
        failed(problem);
      }
      closeDialog();
      again();
    }, "bad"), button(say("cancel"), closeDialog)));
}
