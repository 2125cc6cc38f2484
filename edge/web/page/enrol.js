// Enrolling: consent first, then photos that are dropped, or a sitting before the camera.
import { get, post, send } from "./api.js";
import { button, closeDialog, failed, make, openDialog, toast } from "./dom.js";
import { say, translated } from "./words.js";

export async function enrol(after) {
  const { text } = await get("api/consent").catch(() => ({ text: null }));
  const name = make("input", { id: "enrol-name", maxLength: 120, "aria-label": say("name"), placeholder: say("name"), autocomplete: "off" });
  const consent = make("textarea", { rows: 5, value: text || say("consent_text"), "aria-label": say("consent") });
  const agrees = make("input", { type: "checkbox", id: "agrees" });
  const add = make("input", { type: "checkbox", id: "add" });
  const keep = button(say("save_text"), () => post("api/consent", { text: consent.value })
    .then(() => toast(say("saved"))).catch(failed));
  const begin = async (by) => {
    try {
      const sitting = await post("api/enrolments",
        { name: name.value.trim(), add: add.checked, by, consent: agrees.checked });
      (by === "photos" ? photos : sit)(sitting, after);
    } catch (problem) {
      failed(problem);
    }
  };
  const [byPhotos, byCamera] = [["photos", "by-photos"], ["camera", "by-camera"]].map(([by, id]) => {
    const one = button(say(`enrol_${by}`), () => begin(by), "act");
    one.id = id;
    one.disabled = true;
    return one;
  });
  const check = () => {
    byPhotos.disabled = byCamera.disabled = !(agrees.checked && name.value.trim());
  };
  agrees.addEventListener("change", check);
  name.addEventListener("input", check);
  openDialog(say("enrol"), make("div", { className: "changes" }, name, consent,
    make("div", { className: "row" }, keep),
    make("label", { className: "row" }, agrees, say("consent_ok")),
    make("label", { className: "row" }, add, say("add")),
    make("div", { className: "row" }, byPhotos, byCamera, button(say("cancel"), closeDialog))));
  name.focus();
}

function parts(sitting, after) {
  const progress = make("progress", { max: sitting.wanted, value: 0, "aria-label": say("enrol") });
  const count = make("p", { id: "taken", role: "status" });
  const done = button(say("finish"), async () => {
    done.disabled = true;
    count.textContent = say("working");
    try {
      const found = await post(`api/enrolments/${sitting.enrolment}`);
      toast([say("enrolled", { name: found.name }), ...found.warnings].join("; "));
      closeDialog();
      after();
    } catch (problem) {
      failed(problem);
      done.disabled = false;
    }
  }, "act");
  done.id = "finish";
  const show = (state) => {
    progress.value = state.looks;
    count.textContent = say("taken", state);
    done.disabled = state.looks < Math.min(10, state.wanted);
  };
  show(sitting);
  return { progress, count, done, show };
}

function photos(sitting, after) {
  const { progress, count, done, show } = parts(sitting, after);
  const list = make("ul", { className: "plain soft", id: "photos" });
  const take = async (files) => {
    for (const file of files) {
      try {
        const state = await send(`api/enrolments/${sitting.enrolment}/photos`, file, file.type || "image/jpeg");
        list.append(make("li", { className: state.taken ? "ok" : "warning" }, `${file.name}: ${state.taken ? "✓" : translated(state.reason)}`));
        show(state);
      } catch (problem) {
        list.append(make("li", { className: "problem" }, `${file.name}: ${problem.message}`));
      }
    }
  };
  const input = make("input", { type: "file", multiple: true, accept: "image/*", id: "files", onchange: () => take([...input.files]) });
  const zone = make("label", { className: "drop", ondragover: (event) => event.preventDefault(), ondrop: (event) => {
    event.preventDefault();
    take([...event.dataTransfer.files]);
  } }, say("enrol_photos"), input);
  openDialog(sitting.name, make("div", { className: "changes" }, zone, progress, count, list,
    make("div", { className: "row" }, done, button(say("cancel"), closeDialog))));
}

function sit(sitting, after) {
  const { progress, count, done, show } = parts(sitting, after);
  const words = make("p", { className: "who", role: "status", "aria-live": "assertive", id: "words" }, translated(sitting.words));
  const dialog = openDialog(sitting.name, make("div", { className: "changes" },
    make("img", { src: "stream.mjpg", alt: say("seen") }), words, progress, count,
    make("div", { className: "row" }, done, button(say("cancel"), closeDialog))));
  const again = async () => {
    if (!dialog.open || !dialog.contains(words)) return;
    try {
      const state = await get(`api/enrolments/${sitting.enrolment}`);
      if (words.textContent !== translated(state.words)) words.textContent = translated(state.words);
      show(state);
      setTimeout(again, 500);
    } catch (problem) {
      if (!done.disabled) failed(problem);
    }
  };
  again();
}
