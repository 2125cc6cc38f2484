// One catalogue of texts; the language is the first of the browser's that it has.
let texts = {};

export async function loadWords() {
  const catalogue = await (await fetch("page/words.json")).json();
  const wanted = navigator.languages.map((language) => language.slice(0, 2).toLowerCase());
  const language = wanted.find((one) => one in catalogue) || "en";
  document.documentElement.lang = language;
  texts = { ...catalogue.en, ...catalogue[language] };
  for (const element of document.querySelectorAll("[data-word]")) {
    element.textContent = say(element.dataset.word);
  }
}

export function say(key, values = {}) {
  return (texts[key] || key).replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}

export const when = (at) => new Date(at).toLocaleString(document.documentElement.lang,
  { dateStyle: "medium", timeStyle: "short" });
