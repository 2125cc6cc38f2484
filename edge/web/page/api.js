// What the device is asked; every answer is JSON, and every error has words.
const OURS = { "X-Edge-Recognize": "1" };

async function ask(path, options = {}) {
  const answer = await fetch(path, { cache: "no-store", ...options });
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    throw new Error([found.error || answer.statusText, found.hint].filter(Boolean).join("; "));
  }
  return found;
}

export const get = (path) => ask(path);
export const remove = (path) => ask(path, { method: "DELETE", headers: OURS });
export const send = (path, body, kind) =>
  ask(path, { method: "POST", body, headers: { ...OURS, "Content-Type": kind } });
export const post = (path, fields = {}) => send(path, JSON.stringify(fields), "application/json");
