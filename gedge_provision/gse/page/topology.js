/** NUMA nodes as boxes, with their cores as cells and the devices that are near. */

import { facts, h } from "./dom.js";

/** Draw what a node tells of its topology; null where it tells none. */
export function drawTopology(topology) {
  if (!topology) {
    return h("p", { class: "soft" }, "This node tells no topology here: gedge apply has not set it up. ",
      h("code", {}, "gedge topology show HOST"), " reads it on the host.");
  }
  const { policies } = topology;
  const reserved = new Set(cpusOf(policies.reserved));
  return [
    facts([
      ["CPU manager", told(policies.cpu, policies.cpu_options)],
      ["Topology manager", told(policies.topology, policies.topology_options)],
      ["Memory manager", told(policies.memory)],
      ["Aligned", policies.scope === "pod" ? "pods as a whole" : "each container"],
      ["Reserved CPUs", policies.reserved ? h("code", {}, policies.reserved)
        : policies.reserved_cpus ? `${policies.reserved_cpus}, which the kubelet chooses` : ""],
    ]),
    h("div", { class: "numa-nodes" }, topology.numa.map((numa) => drawNuma(numa, reserved, topology.huge_pages[numa.id] ?? {}))),
    h("p", { class: "legend" },
      h("span", {}, h("span", { class: "core", "aria-hidden": "true" }, "0"), "a core, with the numbers of its CPUs"),
      reserved.size > 0 && h("span", {}, h("span", { class: "core reserved", "aria-hidden": "true" }, "0"), "reserved for the system: no pod owns it")),
  ];
}

const told = (policy, options = []) => [h("code", {}, policy), options.length > 0 && ` with ${options.join(", ")}`];

function drawNuma(numa, reserved, hugePages) {
  const cores = numa.cores.map(cpusOf);
  const sockets = Object.keys(numa.sockets);
  const kept = cores.filter((core) => core.some((cpu) => reserved.has(cpu))).length;
  const pages = Object.entries(hugePages).filter(([, count]) => count > 0);
  const near = [...Object.entries(numa.devices), ...pages.map(([size, count]) => [`huge pages of ${kibibytes(Number(size))}`, count])];
  return h("section", { class: "numa", "aria-label": `NUMA node ${numa.id}` },
    h("h3", {}, `NUMA node ${numa.id}`),
    h("p", { class: "soft" }, [sockets.length > 0 && `socket ${sockets.join(", ")}`, numa.memory_kib > 0 && kibibytes(numa.memory_kib),
      cores.length === 1 ? "1 core" : `${cores.length} cores`, kept > 0 && `${kept} reserved`].filter(Boolean).join(" · ")),
    h("ul", { class: "cores", "aria-label": "Cores" }, cores.map((core) => {
      const taken = core.some((cpu) => reserved.has(cpu));
      return h("li", { class: taken ? "core reserved" : "core", title: `CPUs ${core.join(", ")}${taken ? ", reserved" : ""}` },
        core.join(" "), taken && h("span", { class: "hidden" }, " reserved"));
    })),
    near.length > 0 && h("ul", { class: "devices", "aria-label": "Devices" },
      near.map(([name, count]) => h("li", {}, h("code", {}, name), `: ${count}`))));
}

/** The numbers in a CPU list of Linux: 0-2,8. */
export function cpusOf(list) {
  return list.split(",").filter(Boolean).flatMap((range) => {
    const [first, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

export const kibibytes = (amount) => bytes(amount * 1024);

export function bytes(amount) {
  const power = Math.min(Math.floor(Math.log2(Math.max(amount, 1)) / 10), 4);
  return `${(amount / 1024 ** power).toFixed(power > 2 ? 1 : 0)} ${["B", "KiB", "MiB", "GiB", "TiB"][power]}`;
}
