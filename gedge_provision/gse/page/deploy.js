/** A document: checked, fitted, deployed. */

import { Problem, get, path, query, send } from "./api.js";
import { allow, ask, badge, button, h, link, replace, section, table } from "./dom.js";
import { attempt, notice } from "./messages.js";
import { field, heading, namespaceField, remember, written } from "./views.js";

const YAML = "application/yaml"; // and JSON, which is a part of it
const LARGEST = 512 * 1024; // bytes: what the API takes
const PLURAL = { service: "services", template: "templates", mesh: "meshes" };

const FIT = [
  { title: "Node", cell: (node) => link(`#/nodes${path(node.node)}`, node.node) },
  { title: "Holds now", className: "number", cell: (node) => node.holds },
  { title: "Holds when empty", cell: (node) => (node.empty_holds ? "yes" : "no") },
  { title: "What keeps more off", className: "long", cell: (node) => node.obstacles.map((one) => h("div", {}, one.text)) },
  { title: "What would fit", cell: (node) => node.largest },
];

const STATES = { ready: "good", "on trial": "good", failed: "bad", "rolled back": "bad", "not begun": "bad" };

export async function deploy({ main, parameters, signal }) {
  let namespace = parameters.get("namespace") || "default";
  const editor = makeEditor();
  const result = h("div", { "aria-live": "polite" });
  const plain = h("input", { type: "checkbox", name: "without_acceleration" });
  const way = h("select", { name: "way" }, [["", "pod by pod"], ["canary", "a canary first"], ["blue_green", "blue-green"]]
    .map(([value, word]) => h("option", { value }, word)));
  const percent = h("input", { type: "number", min: "1", max: "99", value: "20", name: "percent" });
  const percentField = field("Canary percent", percent);
  percentField.hidden = true;
  way.addEventListener("change", () => { percentField.hidden = way.value !== "canary"; });
  const back = h("input", { type: "checkbox", name: "rollback", checked: true });
  const file = h("input", { type: "file", accept: ".yaml,.yml,.json" });
  file.addEventListener("change", async () => {
    const [chosen] = file.files;
    if (!chosen) return;
    if (chosen.size > LARGEST) {
      await attempt(() => { throw new Problem({ title: "Too large", detail: `${chosen.name} has more than 512 KiB`, remedy: "choose a document" }, 413); });
    } else editor.set(await chosen.text());
  });

  const options = () => ({
    without_acceleration: plain.checked || null,
    canary: way.value === "canary" ? percent.value : null,
    blue_green: way.value === "blue_green" || null,
    rollback: back.checked ? null : "false",
  });
  const place = (finding) => {
    const line = Number(/(\d+)$/.exec(finding.place)?.[1]);
    return line ? [button(`line ${line}`, () => editor.go(line), { class: "linklike" }), " "] : finding.place && `${finding.place} `;
  };
  const check = () => send("POST", `${path("namespaces", namespace)}/check`, editor.text(), YAML);
  const run = (action) => attempt(async () => {
    result.replaceChildren();
    for (const one of buttons) allow(one, false);
    try {
      await action();
    } finally {
      for (const one of buttons) allow(one, true);
    }
  }, place);

  const doCheck = () => run(async () => {
    const checked = await check();
    replace(result, section("The document is right", h("p", {}, `${checked.kind} ${checked.name}`), noted(checked.notes)));
  });
  const doFit = () => run(async () => {
    const fit = await send("POST", query(`${path("namespaces", namespace)}/fit`, { without_acceleration: plain.checked || null }),
      editor.text(), YAML);
    replace(result, section(`Fit of ${fit.service}`,
      h("p", {}, badge(fit.fits ? "fits" : "does not fit", fit.fits ? "good" : "bad"), ` ${fit.placed} of ${fit.replicas} replicas fit now.`),
      noted(fit.notes), table("Fit of each node", FIT, fit.nodes, "No nodes.")));
  });
  const doDeploy = () => run(async () => {
    const checked = await check();
    const applied = await put(namespace, checked, editor.text(), options());
    if (applied === undefined) return;
    if (checked.kind === "service") replace(result, outcome(applied, namespace, checked.name), noted(checked.notes));
    else notice(`The ${checked.kind} ${checked.name} is kept. `, link(`#/${PLURAL[checked.kind]}${path(namespace, checked.name)}`, "Show it"));
  });
  const buttons = [button("Check", doCheck), button("Fit", doFit), button("Deploy", doDeploy, { class: "primary" })];

  main.append(heading("Deploy"),
    h("p", { class: "soft" }, "A service, template or mesh document, in YAML or JSON. Check and Fit change nothing."),
    h("div", { class: "filters" },
      namespaceField(namespace, (value) => {
        namespace = value || "default";
        remember({ namespace });
      }, signal, { required: true }),
      field("From a file", file)),
    editor.element,
    h("fieldset", { class: "filters" }, h("legend", {}, "How"),
      field("New pods come", way), percentField,
      h("label", { class: "check" }, back, "Take it back if it does not get ready"),
      h("label", { class: "check" }, plain, "Without acceleration (GPUs, own CPUs, networks)")),
    h("div", { class: "actions" }, buttons), result);
  const from = parameters.get("from");
  if (from) await attempt(async () => {
    const kept = await get(path("namespaces", namespace, "services", from), { signal });
    editor.set(written(kept.document));
  });
}

/** Send a document to where it belongs; undefined where somebody does not want to replace what is there. */
async function put(namespace, checked, text, options) {
  const list = path("namespaces", namespace, PLURAL[checked.kind]);
  const one = list + path(checked.name);
  if (checked.kind === "template") return send("PUT", one, text, YAML);
  if (checked.kind === "mesh") {
    return send("PUT", query(one, { without_acceleration: options.without_acceleration }), text, YAML);
  }
  try {
    return await send("POST", query(list, options), text, YAML);
  } catch (error) {
    if (error.status !== 409 || error.code !== "conflict") throw error;
    const answer = await ask({ title: `Change ${checked.name}?`, confirm: "Change it",
      content: h("p", {}, `${namespace}/${checked.name} runs already, with another document.`) });
    return answer ? send("PUT", query(one, options), text, YAML) : undefined;
  }
}

/** What became of a rollout, or that it goes on. */
function outcome(applied, namespace, name) {
  return section(`${namespace}/${name}`,
    h("p", {}, badge(applied.state, STATES[applied.state] ?? "open"), " ",
      applied.state === "rolling out" && "It goes on in the cluster. ", link(`#/services${path(namespace, name)}`, "Watch it")),
    applied.problem && h("div", { class: "trouble" }, h("p", {}, applied.problem), applied.remedy && h("p", { class: "remedy" }, `→ ${applied.remedy}`)));
}

const noted = (notes) => notes?.length > 0 && h("ul", { class: "notes" }, notes.map((note) => h("li", {}, note)));

/** A text with numbers of its lines. */
function makeEditor() {
  const numbers = h("pre", { class: "numbers", "aria-hidden": "true" }, "1");
  const input = h("textarea", { id: "document", rows: "20", spellcheck: "false", autocomplete: "off", wrap: "off",
    "aria-label": "Document", placeholder: "service:\n  name: …\n  containers:\n    - image: …" });
  const count = () => {
    const lines = input.value.split("\n").length;
    if (numbers.childElementCount !== lines) numbers.textContent = Array.from({ length: lines }, (_, index) => index + 1).join("\n");
  };
  input.addEventListener("input", count);
  input.addEventListener("scroll", () => { numbers.scrollTop = input.scrollTop; });
  return {
    element: h("div", { class: "editor" }, numbers, input),
    text: () => input.value,
    set: (text) => {
      input.value = text;
      count();
    },
    /** Select a line, and bring it into sight. */
    go: (line) => {
      const lines = input.value.split("\n");
      const begin = lines.slice(0, line - 1).reduce((length, one) => length + one.length + 1, 0);
      input.focus();
      input.setSelectionRange(begin, begin + (lines[line - 1]?.length ?? 0));
      const height = parseFloat(getComputedStyle(input).lineHeight);
      input.scrollTop = Math.max(0, (line - 5) * height);
      input.scrollLeft = 0;
    },
  };
}
