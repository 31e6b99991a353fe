/** A table that follows a watch: filtered, sorted, and changed row by row, so that hundreds of them stay quick. */

import { cells, h, replace } from "./dom.js";

const TOGETHER_MS = 60; // changes that come together are shown together

export class LiveList {
  /**
   * @param {Object} options
   * @param {string} options.caption
   * @param {Array<{title, cell, className, sort}>} options.columns `sort(line)`: what rows are ordered by
   * @param {function(Object): string} options.keyOf
   * @param {function(Object): boolean} options.chosen whether a line is to be seen
   * @param {function(number, number): void} options.counted told of how many are seen, and how many there are
   * @param {string} options.sort title of a column, with - before it from the last to the first
   * @param {function(string): void} options.sorted told of another order
   */
  constructor(options) {
    Object.assign(this, options);
    this.rows = new Map();
    this.stale = new Set();
    this.timer = null;
    this.heads = this.columns.map((column) => this.head(column));
    this.body = h("tbody", { role: "rowgroup" });
    this.element = h("table", { role: "table", class: "live" },
      h("caption", { class: "hidden" }, this.caption),
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, this.heads)), this.body);
    this.mark();
  }

  head(column) {
    if (!column.sort) return h("th", { role: "columnheader", scope: "col" }, column.title);
    const turn = () => {
      this.sort = this.sort === column.title ? `-${column.title}` : column.title;
      this.mark();
      this.sorted(this.sort);
      this.show();
    };
    return h("th", { role: "columnheader", scope: "col" }, h("button", { type: "button", class: "sort", onclick: turn }, column.title));
  }

  mark() {
    const title = this.sort.replace(/^-/, "");
    this.columns.forEach((column, index) => {
      if (column.title !== title) this.heads[index].removeAttribute("aria-sort");
      else this.heads[index].setAttribute("aria-sort", this.sort.startsWith("-") ? "descending" : "ascending");
    });
  }

  /** A first state comes: what it does not name is gone. */
  begin() {
    this.stale = new Set(this.rows.keys());
  }

  synced() {
    for (const key of this.stale) this.rows.delete(key);
    this.stale.clear();
    this.show();
  }

  put(line) {
    const key = this.keyOf(line);
    this.stale.delete(key);
    const told = JSON.stringify(line);
    const row = this.rows.get(key) ?? { element: h("tr", { role: "row" }), told: "" };
    if (row.told === told) return;
    row.told = told;
    row.line = line;
    replace(row.element, cells(this.columns, line));
    this.rows.set(key, row);
    this.show();
  }

  remove(line) {
    this.rows.delete(this.keyOf(line));
    this.show();
  }

  /** Show soon what has changed. */
  show() {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.arrange();
    }, TOGETHER_MS);
  }

  arrange() {
    const seen = [...this.rows.values()].filter((row) => this.chosen(row.line)).sort(this.order());
    const kept = new Set(seen.map((row) => row.element));
    for (const element of [...this.body.children]) if (!kept.has(element)) element.remove();
    const focused = document.activeElement;
    let next = this.body.firstChild;
    for (const { element } of seen) {
      if (element === next) next = next.nextSibling;
      else this.body.insertBefore(element, next);
    }
    if (focused !== document.activeElement && this.body.contains(focused)) focused.focus({ preventScroll: true });
    this.element.hidden = !seen.length;
    this.counted(seen.length, this.rows.size);
  }

  order() {
    const { sort } = this.columns.find((column) => column.sort && column.title === this.sort.replace(/^-/, "")) ?? this.columns.find((column) => column.sort);
    const direction = this.sort.startsWith("-") ? -1 : 1;
    const compare = (a, b) => (typeof a === "number" ? a - b : collator.compare(a, b));
    return (a, b) => direction * compare(sort(a.line), sort(b.line)) || collator.compare(this.keyOf(a.line), this.keyOf(b.line));
  }
}

const collator = new Intl.Collator("en", { numeric: true });
