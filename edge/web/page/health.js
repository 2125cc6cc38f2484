// How the device is: the doctor's quick findings, and the last errors.
import { get } from "./api.js";
import { make } from "./dom.js";
import { say, when } from "./words.js";

export async function health(view) {
  const found = await get("api/health");
  const rows = found.findings.map((one) => make("li", {}, make("b", { className: one.state }, `${one.check}: `),
    one.text, ...(one.remedy ? [make("div", { className: "soft" }, `→ ${one.remedy}`)] : [])));
  const errors = found.errors.map((one) => make("li", {}, make("span", { className: "soft" }, when(one.at)), " ", one.error));
  const none = () => make("li", { className: "soft" }, say("all_well"));
  view.replaceChildren(make("h1", {}, say("health")), make("div", { className: "side" },
    make("section", {}, make("h2", {}, say("bundle")), found.bundle),
    make("section", {}, make("h2", {}, say("findings")), make("ul", { className: "plain" }, ...(rows.length ? rows : [none()]))),
    make("section", {}, make("h2", {}, say("errors")), make("ul", { className: "plain" }, ...(errors.length ? errors : [none()])))));
}
