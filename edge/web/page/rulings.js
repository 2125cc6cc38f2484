// The owner's word: who, what it changes, done.
import { get, post } from "./api.js";
import { button, closeDialog, failed, make, openDialog, toast } from "./dom.js";
import { say } from "./words.js";

export async function rule(visits, says, name, after) {
  try {
    const seen = await post("api/rulings", { visits, says, name });
    show(seen, after);
  } catch (problem) {
    closeDialog();
    failed(problem);
  }
}

function show(seen, after) {
  const rows = seen.changed.slice(0, 12).map((change) => make("div", { className: "row" },
    make("img", { src: `api/visits/${change.visit}/face.jpg`, alt: say("face_of", { number: change.visit }) }),
    make("span", {}, `${say("visit", { number: change.visit })}: ${change.before} → ${change.after}`)));
  const untold = seen.untold ? [make("p", { className: "soft" }, say("untold", { count: seen.untold }))] : [];
  const notes = seen.notes.map((note) => make("p", { className: "soft" }, note));
  const yes = button(say("do_it"), async () => {
    yes.disabled = true;
    try {
      await post(`api/rulings/${seen.proposal}`);
      toast(say("done"));
      after();
    } catch (problem) {
      failed(problem);
    } finally {
      closeDialog();
    }
  }, "act");
  yes.id = "do-it";
  openDialog(say("changes"),
    make("p", { id: "foreseen" }, say("changed", { count: seen.changed.length, checked: seen.checked })),
    make("div", { className: "changes" }, ...rows), ...untold, ...notes,
    make("div", { className: "row" }, yes, button(say("cancel"), closeDialog)));
  yes.focus();
}

export async function chooseName(visits, after) {
  try {
    const { people } = await get("api/people");
    const rows = people.map((person) => button(person.name, () => rule(visits, "is", person.name, after)));
    openDialog(say("who_is"), make("div", { className: "row" }, ...rows),
      make("p", {}, button(say("new"), () => newName(visits, after)), " ", button(say("cancel"), closeDialog)));
  } catch (problem) {
    failed(problem);
  }
}

export function newName(visits, after) {
  const name = make("input", { required: true, maxLength: 120, "aria-label": say("name"), autocomplete: "off" });
  const form = make("form", { className: "changes", onsubmit: (event) => {
    event.preventDefault();
    rule(visits, "new", name.value.trim(), after);
  } }, name, make("div", { className: "row" }, make("button", { className: "act" }, say("go")),
    button(say("cancel"), closeDialog)));
  openDialog(say("new"), form);
  name.focus();
}
