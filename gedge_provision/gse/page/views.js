/** What all views share: a heading, a choice of the namespace, and parameters that stay in the address. */

import { all } from "./api.js";
import { h } from "./dom.js";

/** The heading of a view, which the title of the page follows. */
export function heading(text, ...beside) {
  document.title = `${text} · gedge`;
  return h("div", { class: "heading" }, h("h1", { tabindex: "-1" }, text), beside);
}

/** Keep what is chosen in the address, so that a bookmark or a reload shows the same. */
export function remember(parameters) {
  const told = Object.entries(parameters).filter(([, value]) => value);
  const text = told.length ? `?${new URLSearchParams(told)}` : "";
  history.replaceState(null, "", (location.hash.split("?")[0] || "#/services") + text);
}

export const loading = () => h("p", { class: "soft" }, "Loading…");

export const field = (label, control) => h("label", { class: "field" }, h("span", {}, label), control);

/** A field for a namespace. Its list is empty for somebody who may not list namespaces, and any name can be written. */
export function namespaceField(value, changed, signal, attributes = {}) {
  const input = h("input", { name: "namespace", list: "namespaces", value, size: "14", autocomplete: "off", spellcheck: "false", ...attributes });
  input.addEventListener("change", () => changed(input.value.trim()));
  const list = h("datalist", { id: "namespaces" });
  all("/namespaces", { signal }).then((found) => list.replaceChildren(...found.map(({ name }) => h("option", { value: name }))), () => {});
  return h("div", {}, field("Namespace", input), list);
}

/** What stands in a document, as it would be written. */
export const written = (document) => JSON.stringify(document, null, 2);
