/** Elements made by calls: names, events and logs come from users, and get into the page as text alone. */

/**
 * Make an element.
 * @param {string} tag
 * @param {Object} attributes `onclick: function` listens; null, undefined and false leave an attribute out.
 * @param {...(Node|string|Array)} children text stays text.
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...flat(children));
  return element;
}

function flat(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));
}

/** Put other content into an element; the focus stays on the link or button that had it, if there is one like it. */
export function replace(element, ...children) {
  const focused = element.contains(document.activeElement) ? markOf(document.activeElement) : null;
  element.replaceChildren(...flat(children));
  if (focused === null) return;
  [...element.querySelectorAll("a, button, input, select, textarea, summary")]
    .find((candidate) => markOf(candidate) === focused)?.focus({ preventScroll: true });
}

const markOf = (element) =>
  [element.tagName, element.id, element.getAttribute("href"), element.getAttribute("aria-label"), element.textContent].join("|");

export const link = (href, text, attributes = {}) => h("a", { href, ...attributes }, text);

/** A button that does nothing while it is not allowed to. */
export const button = (text, onclick, attributes = {}) => h("button", { type: "button", ...attributes,
  onclick: (event) => event.currentTarget.ariaDisabled === "true" || onclick(event) }, text);

/** Let a button do something or not. It stays one that can have the focus: `disabled` would take that from it. */
export const allow = (element, allowed) => { element.ariaDisabled = String(!allowed); };

/** A word with a colour that is not the only sign: the word says it too. */
export const badge = (text, kind) => h("span", { class: `badge ${kind}` }, text);

export const readiness = (ready) => (ready ? badge("ready", "good") : badge("not ready", "bad"));

/** An address: a link where a browser can follow it, else text. */
export function address(url) {
  const followed = /^https?:\/\//i.test(url);
  return followed ? link(url, url, { target: "_blank", rel: "noopener noreferrer" }) : h("code", {}, url);
}

/**
 * A table that is read as a list of cards where there is no room for one.
 * @param {string} caption for those who do not see it.
 * @param {Array<{title: string, cell: function, className: string=}>} columns
 * @param {Array} rows
 * @param {string} empty what to say where there are none.
 */
export function table(caption, columns, rows, empty) {
  if (!rows.length) return h("p", { class: "soft" }, empty);
  // Roles written out: as cards the rows are no table to a browser any more, and still one to a screen reader.
  return h("table", { role: "table" },
    h("caption", { class: "hidden" }, caption),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" },
      columns.map((column) => h("th", { role: "columnheader", scope: "col", class: column.className }, column.title)))),
    h("tbody", { role: "rowgroup" }, rows.map((row) => h("tr", { role: "row" }, cells(columns, row)))));
}

export const cells = (columns, row) => columns.map((column) =>
  h("td", { role: "cell", "data-title": column.title, class: column.className }, h("div", {}, column.cell(row))));

/** Pairs of a name and a value; a value that is null, undefined or empty is left out with its name. */
export function facts(pairs) {
  const told = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "" && value.length !== 0);
  return h("dl", { class: "facts" }, told.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

export function section(title, ...children) {
  return h("section", {}, h("h2", {}, title), children);
}

/** A moment in the reader's time zone, short; the title has all of it. */
export function moment(text) {
  const date = new Date(text ?? "");
  if (Number.isNaN(date.getTime())) return "";
  const today = date.toDateString() === new Date().toDateString();
  const shown = date.toLocaleString("en-GB", today ? { timeStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" });
  return h("time", { datetime: date.toISOString(), title: date.toISOString() }, shown);
}

/**
 * Ask by a dialog; Escape and Cancel close it, and the focus goes back to where it was.
 * @returns {Promise<FormData|null>} what was filled in, null where it was cancelled.
 */
export function ask({ title, content = [], confirm, dangerous = false, allowed = () => true }) {
  const submit = h("button", { type: "submit", class: dangerous ? "danger" : "primary" }, confirm);
  const form = h("form", { method: "dialog" }, h("h2", { id: "dialog-title" }, title), content,
    h("div", { class: "actions" }, button("Cancel", () => dialog.close()), submit));
  const dialog = h("dialog", { "aria-labelledby": "dialog-title" }, form);
  const judge = () => { submit.disabled = !allowed(new FormData(form)); };
  form.addEventListener("input", judge);
  judge();
  return new Promise((resolve) => {
    let answer = null;
    form.addEventListener("submit", () => { answer = new FormData(form); });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Show a long text in a dialog. */
export function show(title, text) {
  const dialog = h("dialog", { class: "wide", "aria-labelledby": "dialog-title" },
    h("h2", { id: "dialog-title" }, title),
    h("pre", { tabindex: "0" }, text),
    h("div", { class: "actions" }, button("Close", () => dialog.close())));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
