// Elements made of text: names are never markup.
export function make(tag, fields = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(fields)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && key !== "list" && key !== "role") element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export const button = (text, onclick, kind = "") =>
  make("button", { type: "button", className: kind, onclick }, text);

export function toast(text) {
  const place = document.getElementById("toast");
  place.textContent = text;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { place.textContent = ""; }, 6000);
}

export function failed(problem) {
  toast(problem.message);
}

export function openDialog(title, ...children) {
  const dialog = document.getElementById("dialog");
  dialog.replaceChildren(make("h2", { id: "dialog-title" }, title), ...children);
  if (!dialog.open) dialog.showModal();
  return dialog;
}

export const closeDialog = () => document.getElementById("dialog").close();
