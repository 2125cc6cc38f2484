// One catalogue of texts; the language is the first of the browser's that it has. What the device
// says (`said_…` in English) is known by its words, so that it can be said in that language, too.
let texts = {};
let sayings = [];

export async function loadWords() {
  const catalogue = await (await fetch("page/words.json")).json();
  const wanted = navigator.languages.map((language) => language.slice(0, 2).toLowerCase());
  const language = wanted.find((one) => one in catalogue) || "en";
  document.documentElement.lang = language;
  texts = { ...catalogue.en, ...catalogue[language] };
  sayings = Object.entries(catalogue.en).filter(([key]) => key.startsWith("said_")).map(saying);
  for (const element of document.querySelectorAll("[data-word]")) {
    element.textContent = say(element.dataset.word);
  }
}

function saying([key, template]) {
  const parts = template.split(/\{(\w+)\}/);
  const pattern = parts.map((part, k) => (k % 2 ? "(.+?)" : part.replace(/[^\w\s]/g, "\\$&"))).join("");
  return { key, names: parts.filter((part, k) => k % 2), pattern: new RegExp(`^${pattern}$`) };
}

export function say(key, values = {}) {
  return (texts[key] || key).replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}

export function translated(text) {
  for (const { key, names, pattern } of sayings) {
    const found = pattern.exec(text);
    if (found) {
      const values = names.map((name, k) => [name, name === "words" ? translated(found[k + 1]) : found[k + 1]]);
      return say(key, Object.fromEntries(values));
    }
  }
  return text;
}

export const count = (number) => number.toLocaleString(document.documentElement.lang);
export const clock = (at) => new Date(at).toLocaleTimeString(document.documentElement.lang);
export const when = (at) => new Date(at).toLocaleString(document.documentElement.lang,
  { dateStyle: "medium", timeStyle: "short" });
