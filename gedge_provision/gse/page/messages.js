/** What is told above every view: problems, what was done, and whether the connection is lost. */

import { Problem } from "./api.js";
import { button, h } from "./dom.js";

const problems = document.getElementById("problems");
const notices = document.getElementById("notices");
const connection = document.getElementById("connection");

/**
 * Show a problem with what to do about it; the one that stands there already is not read out again.
 * @param {Error} error
 * @param {function(Object): Node=} place of a finding, where it can be led to
 */
export function tell(error, place = (finding) => finding.place) {
  if (error.name === "AbortError" || error.status === 401) return;
  const shown = error instanceof Problem ? error : new Problem({ title: "The page failed", detail: String(error),
    remedy: "load it again; if that does not help, tell what you did" }, 0);
  const findings = shown.findings.map((finding) => h("li", {}, place(finding), finding.path && h("code", {}, finding.path), " ",
    finding.message, finding.remedy && h("span", { class: "remedy" }, `→ ${finding.remedy}`)));
  const told = h("div", { class: "problem" },
    h("div", {}, h("strong", {}, shown.title || "It did not work"),
      h("p", {}, findings.length ? null : [shown.place && h("code", {}, `${shown.place}: `), shown.message]),
      !findings.length && shown.remedy && h("p", { class: "remedy" }, `→ ${shown.remedy}`),
      findings.length > 0 && h("ul", { class: "findings" }, findings)),
    button("Dismiss", clear));
  if (problems.textContent === told.textContent) return;
  problems.replaceChildren(told);
  problems.scrollIntoView({ block: "nearest" });
}

export function clear() {
  problems.replaceChildren();
  notices.replaceChildren();
}

/** Say what was done. */
export function notice(text, ...more) {
  notices.replaceChildren(h("div", { class: "notice" }, h("div", {}, text, more), button("Dismiss", () => notices.replaceChildren())));
}

/** Go to another view, and say there what was done here. */
export function leave(hash, text) {
  window.addEventListener("hashchange", () => notice(text), { once: true }); // after the view's own listener
  location.hash = hash;
}

/** Do what was asked for; what goes wrong is told, and gives undefined. */
export async function attempt(action, place) {
  clear();
  try {
    return await action();
  } catch (error) {
    tell(error, place);
    return undefined;
  }
}

/** The connection is lost, and tried again after some seconds, or when somebody does not want to wait. */
export function lost(seconds, retry) {
  connection.replaceChildren(h("div", {}, `Connection lost, trying again in ${Math.ceil(seconds)} s. What you see may be old.`),
    button("Try now", retry));
}

export function found() {
  if (connection.firstChild) connection.replaceChildren();
}
