/** The nodes, and one of them with its topology and the pods that own CPUs on it. */

import { all, get, path } from "./api.js";
import { badge, facts, h, link, readiness, replace, section, table } from "./dom.js";
import { LiveList } from "./livelist.js";
import { attempt, found, lost, tell } from "./messages.js";
import { poll } from "./poll.js";
import { bytes, drawTopology, kibibytes } from "./topology.js";
import { field, heading, loading, remember } from "./views.js";
import { watch } from "./watch.js";

const EVERY_S = 5;
const PLAIN = new Set(["cpu", "memory", "pods", "ephemeral-storage"]);

const COLUMNS = [
  { title: "Name", sort: (node) => node.name, cell: (node) => link(`#/nodes${path(node.name)}`, node.name) },
  { title: "State", sort: (node) => Number(node.ready) + Number(node.schedulable), cell: (node) => stateOf(node) },
  { title: "Roles", sort: (node) => node.roles.join(), cell: (node) => node.roles.join(", ") || h("span", { class: "soft" }, "worker") },
  { title: "CPUs", className: "number", sort: (node) => Number(cpus(node)) || 0, cell: cpus },
  { title: "Memory", className: "number", cell: (node) => memory(node.allocatable.memory) },
  { title: "Devices", cell: (node) => devices(node.allocatable) },
  { title: "Addresses", cell: (node) => node.addresses.map((address) => h("code", { class: "line" }, address)) },
  { title: "Kubelet", sort: (node) => node.kubelet_version, cell: (node) => node.kubelet_version },
];

const PODS = [
  { title: "Pod", cell: (pod) => h("code", {}, pod.name) },
  { title: "Namespace", cell: (pod) => pod.namespace },
  { title: "Service", cell: (pod) => (pod.service ? link(`#/services${path(pod.namespace, pod.service)}`, pod.service) : h("span", { class: "soft" }, "none")) },
  { title: "QoS class", cell: (pod) => pod.qos },
  { title: "State", cell: (pod) => pod.phase },
  { title: "CPUs of its own", className: "number", cell: (pod) => pod.pinned_cpus || "" },
  { title: "Devices", cell: (pod) => devices(pod.devices) },
];

const CONDITIONS = [
  { title: "Condition", cell: (one) => one.type },
  { title: "Status", cell: (one) => badge(one.status, one.status === (one.type === "Ready" ? "True" : "False") ? "good" : "bad") },
  { title: "Reason", cell: (one) => one.reason },
  { title: "Message", className: "long", cell: (one) => one.message },
];

const IMAGES = [
  { title: "Image", className: "long", cell: (image) => image.names.map((name) => h("code", { class: "line" }, name)) },
  { title: "Size", className: "number", cell: (image) => bytes(image.size_bytes) },
];

export function nodes({ main, parameters, signal }) {
  const chosen = { q: parameters.get("q") ?? "", sort: parameters.get("sort") ?? "" };
  const count = h("p", { class: "soft count", role: "status" }, "Loading…");
  let loaded = false;
  const list = new LiveList({
    caption: "Nodes",
    columns: COLUMNS,
    keyOf: (node) => node.name,
    chosen: (node) => [node.name, ...node.roles, ...node.addresses].join(" ").toLowerCase().includes(chosen.q.toLowerCase()),
    counted: (seen, total) => {
      if (!loaded) return;
      const late = [...list.rows.values()].filter((row) => !row.line.ready).length;
      count.replaceChildren(seen === total ? `${total} ${total === 1 ? "node" : "nodes"}` : `${seen} of ${total} nodes`,
        late ? badge(`${late} not ready`, "bad") : "");
    },
    sort: chosen.sort || "Name",
    sorted: (sort) => choose("sort", sort),
  });
  const choose = (name, value) => {
    chosen[name] = value;
    remember(chosen);
    list.show();
  };
  const filter = h("input", { type: "search", value: chosen.q, placeholder: "name, role or address", autocomplete: "off" });
  filter.addEventListener("input", () => choose("q", filter.value.trim()));
  main.append(heading("Nodes"),
    h("form", { class: "filters", role: "search", onsubmit: (event) => event.preventDefault() }, field("Filter", filter)),
    count, list.element);
  watch("/watch/nodes", {
    begin: () => list.begin(),
    put: (node) => list.put(node),
    remove: (node) => list.remove(node),
    synced: () => {
      loaded = true;
      list.synced();
    },
    lost,
    found,
  }, signal).catch((error) => {
    count.replaceChildren("No list.");
    tell(error);
  });
}

export async function node({ main, parts: [name], signal }) {
  const state = h("div", { class: "card" }, loading());
  const topology = h("div", {}, loading());
  const pods = h("div", {}, loading());
  const conditions = h("div", {}, loading());
  const images = h("div");
  let told = "";
  const refresh = async () => {
    const now = await get(path("nodes", name), { signal });
    if (told === JSON.stringify(now)) return;
    told = JSON.stringify(now);
    replace(state, factsOf(now));
    replace(topology, drawTopology(now.topology));
    replace(pods, owned(now), table("Pods", PODS, [...now.pods].sort((a, b) => b.pinned_cpus - a.pinned_cpus), "No pods."));
    replace(conditions, table("Conditions", CONDITIONS, now.conditions, "None are told."));
  };
  const showImages = () => attempt(async () => {
    replace(images, table("Images", IMAGES, await all(path("nodes", name, "images"), { signal }), "None are told."));
  });
  const details = h("details", { ontoggle: () => details.open && !images.firstChild && showImages() },
    h("summary", {}, "Images"), images);
  main.append(h("p", { class: "crumbs" }, link("#/nodes", "Nodes")), heading(name), state,
    section("Topology", topology), section("Pods", pods), section("Conditions", conditions), details);
  await poll(refresh, EVERY_S, signal, (error) => {
    if (error.status === 404) replace(state, h("p", {}, badge("gone", "open"), " There is no such node (any more)."));
    else {
      replace(state, h("p", {}, "Not known."));
      tell(error);
    }
    for (const part of [topology, pods, conditions]) replace(part);
  });
}

function factsOf(now) {
  const labels = Object.entries(now.labels).map(([key, value]) => h("code", { class: "label" }, value ? `${key}=${value}` : key));
  return [h("p", { class: "state" }, stateOf(now)), facts([
    ["Roles", now.roles.join(", ")],
    ["Addresses", now.addresses.map((address) => h("code", { class: "line" }, address))],
    ["Kubelet", now.kubelet_version],
    ["CPUs for pods", `${cpus(now)} of ${cpus({ allocatable: now.capacity })}`],
    ["Memory for pods", `${memory(now.allocatable.memory)} of ${memory(now.capacity.memory)}`],
    ["Devices", devices(now.allocatable)],
    ["Taints", now.taints.map((taint) => h("code", { class: "line" }, taint))],
  ]), labels.length > 0 && h("details", {}, h("summary", {}, `${labels.length} labels`), h("div", { class: "labels" }, labels))];
}

/** How many CPUs are owned; which ones nobody tells. */
function owned(now) {
  const count = now.pods.reduce((sum, pod) => sum + pod.pinned_cpus, 0);
  const whole = Number(cpus(now)) || 0;
  return h("div", { class: "owned" },
    h("p", {}, `${count} of ${whole} CPUs for pods belong to one container each.`),
    h("meter", { min: "0", max: String(whole || 1), value: String(count), "aria-label": "CPUs that are owned" }),
    h("p", { class: "soft" }, "The Kubernetes API tells how many CPUs a pod owns, and not which: ",
      h("code", {}, "gedge topology pods"), " asks the kubelets for that."));
}

const stateOf = (now) => [readiness(now.ready), !now.schedulable && badge("cordoned", "open")];

function cpus({ allocatable }) {
  const told = String(allocatable.cpu ?? "");
  return told.endsWith("m") ? String(Number(told.slice(0, -1)) / 1000) : told;
}

function memory(quantity = "") {
  const [, amount, unit] = /^(\d+)(Ki|Mi|Gi|Ti)?$/.exec(quantity) ?? [];
  if (amount === undefined) return quantity;
  return unit === undefined ? bytes(Number(amount)) : kibibytes(Number(amount) * 1024 ** (["Ki", "Mi", "Gi", "Ti"].indexOf(unit)));
}

const devices = (resources) => Object.entries(resources)
  .filter(([name, amount]) => !PLAIN.has(name) && String(amount) !== "0")
  .map(([name, amount]) => h("code", { class: "line" }, `${name}: ${amount}`));

