/** NUMA nodes as boxes, with their cores as cells and the devices that are near. */

import { facts, h } from "./dom.js";

/** Draw what a node tells of its topology; null where it does not. */
export function drawTopology(topology) {
  if (!topology) {
    return h("p", { class: "soft" }, "This node does not tell its topology here: ", h("code", {}, "gedge topology show HOST"),
      " reads it on the host.");
  }
  const reserved = new Set(cpusOf(topology.policies?.reserved ?? ""));
  return [
    facts([...Object.entries(topology.policies ?? {}).filter(([, value]) => value !== null && typeof value !== "object" && value !== "")
      .map(([name, value]) => [POLICIES[name] ?? name, h("code", {}, value)]),
    ...Object.entries(topology.huge_pages ?? {}).map(([size, pages]) => [`Huge pages of ${size}`, pages])]),
    h("div", { class: "numa-nodes" }, topology.numa.map((numa) => drawNuma(numa, reserved))),
    h("p", { class: "legend" }, h("span", { class: "core", "aria-hidden": "true" }, "0"), " a core, with the numbers of its CPUs ",
      reserved.size > 0 && [h("span", { class: "core reserved", "aria-hidden": "true" }, "0"), " reserved for the system: no pod owns it"]),
  ];
}

const POLICIES = { cpu: "CPU manager", topology: "Topology manager", memory: "Memory manager", scope: "Scope", reserved: "Reserved CPUs" };

function drawNuma(numa, reserved) {
  const cores = numa.cores.map((core) => (Array.isArray(core) ? core.flatMap((part) => cpusOf(part)) : cpusOf(core)));
  const sockets = [numa.sockets ?? []].flat();
  const kept = cores.filter((core) => core.some((cpu) => reserved.has(cpu))).length;
  const near = Object.entries(numa.devices ?? {}).map(([name, what]) =>
    h("li", {}, h("code", {}, name), `: ${Array.isArray(what) ? what.join(", ") : what}`));
  return h("section", { class: "numa", "aria-label": `NUMA node ${numa.id}` },
    h("h3", {}, `NUMA node ${numa.id}`),
    h("p", { class: "soft" }, [sockets.length && `socket ${sockets.join(", ")}`, numa.memory_kib && kibibytes(numa.memory_kib),
      `${cores.length} cores`, kept && `${kept} reserved`].filter(Boolean).join(" · ")),
    h("ul", { class: "cores", "aria-label": "Cores" }, cores.map((core) => {
      const taken = core.some((cpu) => reserved.has(cpu));
      return h("li", { class: taken ? "core reserved" : "core", title: `CPUs ${core.join(", ")}${taken ? ", reserved" : ""}` },
        core.join(" "), taken && h("span", { class: "hidden" }, " reserved"));
    })),
    near.length > 0 && h("ul", { class: "devices", "aria-label": "Devices" }, near));
}

/** The numbers in a CPU list of Linux: 0-2,8. */
export function cpusOf(list) {
  return String(list).split(",").filter(Boolean).flatMap((range) => {
    const [first, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

export const kibibytes = (amount) => bytes(amount * 1024);

export function bytes(amount) {
  const power = Math.min(Math.floor(Math.log2(Math.max(amount, 1)) / 10), 4);
  return `${(amount / 1024 ** power).toFixed(power > 2 ? 1 : 0)} ${["B", "KiB", "MiB", "GiB", "TiB"][power]}`;
}
