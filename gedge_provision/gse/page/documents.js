/** Templates and service meshes of a namespace, with their documents. */

import { all, get, path, send } from "./api.js";
import { address, ask, badge, button, facts, h, link, moment, readiness, replace, section, table } from "./dom.js";
import { attempt, clear, leave, tell } from "./messages.js";
import { poll } from "./poll.js";
import { field, heading, loading, namespaceField, remember, written } from "./views.js";

const EVERY_S = 3;

const VERSIONS = [
  { title: "Host", cell: (version) => version.host },
  { title: "Version", cell: (version) => version.version },
  { title: "State", cell: (version) => readiness(version.ready) },
  { title: "Detail", cell: (version) => version.detail },
  { title: "Service", cell: (version) => version.service },
];

const ROUTES = [
  { title: "Route", cell: (route) => route.name },
  { title: "Match", cell: (route) => route.match.map((one) => h("code", { class: "line" }, one)) },
  { title: "To", cell: (route) => [route.host, route.subset].filter(Boolean).join(" ") },
  { title: "Port", className: "number", cell: (route) => route.port ?? "" },
  { title: "Weight", className: "number", cell: (route) => route.weight ?? "" },
];

const templateColumns = (namespace) => [
  { title: "Name", cell: (template) => link(`#/templates${path(namespace, template.name)}`, template.name) },
  { title: "Stored", cell: (template) => moment(template.created) },
];

const meshColumns = (namespace) => [
  { title: "Name", cell: (mesh) => link(`#/meshes${path(namespace, mesh.name)}`, mesh.name) },
  { title: "State", cell: (mesh) => readiness(mesh.ready) },
  { title: "Detail", cell: (mesh) => mesh.detail },
  { title: "Routed by URI", cell: (mesh) => (mesh.routes ? "yes" : "no") },
  { title: "Addresses", cell: (mesh) => mesh.urls.map((url) => h("div", {}, address(url))) },
];

export const templates = (view) => list(view, "Templates", "templates", templateColumns,
  "No templates in this namespace. A template is what several services have in common.");

export const meshes = (view) => list(view, "Meshes", "meshes", meshColumns,
  "No meshes in this namespace. A mesh is several versions of services under one name, with routes between them.");

async function list({ main, parameters, signal }, title, kind, columns, empty) {
  let namespace = parameters.get("namespace") || "default";
  let told = "";
  const found = h("div", {}, loading());
  const load = async () => {
    const asked = namespace;
    const items = await all(path("namespaces", asked, kind), { signal });
    const now = asked + JSON.stringify(items);
    if (asked !== namespace || now === told) return;
    told = now;
    replace(found, table(title, columns(asked), items, empty));
  };
  let polling = new AbortController();
  signal.addEventListener("abort", () => polling.abort());
  const follow = () => {
    polling.abort();
    polling = new AbortController();
    poll(load, EVERY_S, polling.signal, (error) => {
      replace(found);
      told = "";
      tell(error);
    });
  };
  main.append(heading(title, link("#/deploy", "Deploy a document", { class: "button" })),
    h("div", { class: "filters" }, namespaceField(namespace, (value) => {
      namespace = value || "default";
      remember({ namespace });
      clear();
      follow();
    }, signal)), found);
  follow();
}

export const template = (view) => one(view, "Templates", "templates");

export const mesh = (view) => one(view, "Meshes", "meshes", async (home, signal) => {
  const status = await get(`${home}/status`, { signal });
  return [
    h("div", { class: "card" }, h("p", { class: "state" }, readiness(status.ready)),
      status.problem && h("div", { class: "trouble" }, h("p", {}, status.problem), status.remedy && h("p", { class: "remedy" }, `→ ${status.remedy}`)),
      facts([["Addresses", status.urls.map((url) => h("div", {}, address(url)))], ["Requests from pods", plane(status.inside)],
        ["Requests from outside", plane(status.outside)]])),
    section("Versions", table("Versions", VERSIONS, status.versions, "No versions.")),
    section("Routes", table("Routes", ROUTES, status.routes, "No routes.")),
  ];
});

/** Who routes requests; null where there are none of that kind. */
const plane = (told) => told && [badge(told.routes ? "routed by URI" : "not routed by URI", told.routes ? "good" : "open"), ` ${told.detail}`,
  told.remedy && h("span", { class: "remedy" }, `→ ${told.remedy}`)];

async function one({ main, parts: [namespace, name], signal }, title, kind, above = async () => []) {
  const home = path("namespaces", namespace, kind, name);
  const found = h("div", {}, loading());
  const remove = async () => {
    const answer = await ask({ title: `Delete ${name}?`, confirm: "Delete", dangerous: true, allowed: (filled) => filled.get("name") === name,
      content: field(`Type ${name} to confirm`, h("input", { name: "name", autocomplete: "off", spellcheck: "false" })) });
    if (!answer) return;
    await attempt(async () => {
      await send("DELETE", home);
      leave(`#/${kind}?${new URLSearchParams({ namespace })}`, `${namespace}/${name} is being deleted.`);
    });
  };
  main.append(h("p", { class: "crumbs" }, link(`#/${kind}?${new URLSearchParams({ namespace })}`, title), ` / ${namespace}`),
    heading(name), h("div", { class: "actions" }, button("Delete…", remove, { class: "danger" })), found);
  await attempt(async () => {
    const kept = await get(home, { signal });
    replace(found, await above(home, signal),
      section("Document", h("pre", { tabindex: "0", "aria-label": `Document of ${name}` }, written(kept.document))));
  });
  if (!found.querySelector("pre")) replace(found);
}
