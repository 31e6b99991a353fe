/** All services, as they are now. */

import { path, query } from "./api.js";
import { address, badge, button, h, link, readiness } from "./dom.js";
import { LiveList } from "./livelist.js";
import { found, lost, tell } from "./messages.js";
import { field, heading, namespaceField, remember } from "./views.js";
import { watch } from "./watch.js";

const COLUMNS = [
  { title: "Name", sort: (line) => line.name, cell: (line) => link(`#/services${path(line.namespace, line.name)}`, line.name) },
  { title: "Namespace", sort: (line) => line.namespace, cell: (line) => line.namespace },
  { title: "State", sort: (line) => Number(line.ready), cell: (line) => readiness(line.ready) },
  { title: "Detail", cell: (line) => line.detail },
  { title: "Scaling", cell: (line) => line.scaling || h("span", { class: "soft" }, "fixed") },
  { title: "Addresses", cell: (line) => line.urls.map((url) => h("div", {}, address(url))) },
];

export function services({ main, parameters, signal }) {
  const chosen = Object.fromEntries(["q", "namespace", "ready", "sort"].map((name) => [name, parameters.get(name) ?? ""]));
  const count = h("p", { class: "soft count", role: "status" }, "Loading…");
  let loaded = false;
  const list = new LiveList({
    caption: "Services",
    columns: COLUMNS,
    keyOf: (line) => `${line.namespace}/${line.name}`,
    chosen: (line) => (!chosen.ready || String(line.ready) === chosen.ready)
      && `${line.namespace}/${line.name}`.toLowerCase().includes(chosen.q.toLowerCase()),
    counted: (seen, total) => {
      if (!loaded) return;
      const late = [...list.rows.values()].filter((row) => !row.line.ready).length;
      const told = seen === total ? `${total} ${total === 1 ? "service" : "services"}` : `${seen} of ${total} services`;
      count.replaceChildren(total ? told : "No services here yet.", late ? badge(`${late} not ready`, "bad") : "");
    },
    sort: chosen.sort || "Name",
    sorted: (sort) => choose("sort", sort),
  });
  const choose = (name, value) => {
    chosen[name] = value;
    remember(chosen);
    list.show();
  };
  const text = h("input", { type: "search", value: chosen.q, placeholder: "part of a name", autocomplete: "off" });
  text.addEventListener("input", () => choose("q", text.value.trim()));
  const ready = h("select", {}, [["", "all"], ["true", "ready"], ["false", "not ready"]].map(([value, word]) =>
    h("option", { value, selected: value === chosen.ready }, word)));
  ready.addEventListener("change", () => choose("ready", ready.value));

  let watching = new AbortController();
  signal.addEventListener("abort", () => watching.abort());
  const follow = async () => {
    watching.abort();
    watching = new AbortController();
    loaded = false;
    count.replaceChildren("Loading…");
    list.begin();
    const on = {
      begin: () => list.begin(),
      put: (line) => list.put(line),
      remove: (line) => list.remove(line),
      synced: () => {
        loaded = true;
        list.synced();
      },
      lost,
      found,
    };
    try {
      await watch(query("/watch/services", { namespace: chosen.namespace }), on, watching.signal);
    } catch (error) {
      list.synced();
      count.replaceChildren(error.status === 403 && !chosen.namespace
        ? "Choose a namespace: you may not list those of all." : "No list.");
      tell(error);
    }
  };
  const namespace = namespaceField(chosen.namespace, (value) => {
    choose("namespace", value);
    follow();
  }, signal, { placeholder: "all" });

  main.append(
    heading("Services", link("#/deploy", "Deploy a service", { class: "button" })),
    h("form", { class: "filters", role: "search", onsubmit: (event) => event.preventDefault() },
      field("Filter", text), namespace, field("State", ready),
      button("Reset filters", () => {
        text.value = ready.value = namespace.querySelector("input").value = "";
        const elsewhere = chosen.namespace !== "";
        Object.assign(chosen, { q: "", ready: "", namespace: "" });
        choose("q", "");
        if (elsewhere) follow();
      })),
    count, list.element);
  follow();
}
