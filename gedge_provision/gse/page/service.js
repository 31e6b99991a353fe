/** One service: how it is, its pods, events, history and logs, and what can be done with it. */

import { actions } from "./actions.js";
import { Problem, get, path, request, send } from "./api.js";
import { address, badge, button, facts, h, link, moment, readiness, replace, section, show, table } from "./dom.js";
import { logs } from "./logs.js";
import { attempt, notice, tell } from "./messages.js";
import { poll } from "./poll.js";
import { heading, loading, written } from "./views.js";

const EVERY_S = 3;
const GOOD = { good: "good", "rolling out": "open", "on trial": "open", promoting: "open", "going back": "bad", failed: "bad" };

const PODS = [
  { title: "Pod", cell: (pod) => h("code", {}, pod.name) },
  { title: "State", cell: (pod) => (pod.ready ? badge("ready", "good") : badge(pod.phase, pod.phase === "Pending" ? "open" : "bad")) },
  { title: "Node", cell: (pod) => (pod.node ? link(`#/nodes${path(pod.node)}`, pod.node) : "none yet") },
  { title: "QoS class", cell: (pod) => pod.qos },
  { title: "Restarts", className: "number", cell: (pod) => pod.restarts },
  { title: "Address", cell: (pod) => h("code", {}, pod.address) },
];

const EVENTS = [
  { title: "Time", cell: (event) => moment(event.time) },
  { title: "Type", cell: (event) => badge(event.type, event.type === "Warning" ? "bad" : "open") },
  { title: "Reason", cell: (event) => event.reason },
  { title: "Object", cell: (event) => h("code", {}, event.object) },
  { title: "Message", className: "long", cell: (event) => event.message },
  { title: "Count", className: "number", cell: (event) => event.count },
];

export async function service({ main, parts: [namespace, name], signal }) {
  const home = path("namespaces", namespace, "services", name);
  const state = h("div", { class: "card" }, loading());
  const pods = h("div", {}, loading());
  const events = h("div", {}, loading());
  const history = h("div", {}, loading());
  const document = h("pre", { tabindex: "0", "aria-label": "The document of the service" });
  const told = {};

  const refresh = async () => {
    const status = await get(`${home}/status`, { signal });
    await renew("status", status, async () => {
      replace(state, stateOf(status));
      replace(pods, table("Pods", PODS, status.pods, "No pods."));
      log.offer(status.pods);
      const lines = (await ifThere(get(`${home}/history`, { signal }))) ?? [];
      bar.offer(status, lines);
      await renew("history", lines, async () => {
        replace(history, table("Revisions", historyColumns(home), [...lines].reverse(), "No revision is kept."));
        const kept = await ifThere(get(home, { signal }));
        document.textContent = kept ? written(kept.document) : "No document is kept: it was not deployed by gedge, or long ago.";
      });
    });
    const { items } = await get(`${home}/events?limit=100`, { signal });
    await renew("events", items, () => replace(events, table("Events", EVENTS, items, "No events. The cluster forgets them after an hour.")));
  };
  /** Show what has changed since it was shown; what fails half-way is shown again the next time. */
  const renew = async (what, value, put) => {
    const text = JSON.stringify(value);
    if (told[what] === text) return;
    await put();
    told[what] = text;
  };
  const log = logs(home, name, signal);
  const bar = actions({ namespace, name, home, act: (said, where, body) => attempt(async () => {
    const answer = await send("POST", home + where, body);
    told.status = null;
    if (answer.problem) throw new Problem({ detail: answer.problem, remedy: answer.remedy }, 200);
    notice(said);
    await refresh();
  }) });

  main.append(
    h("p", { class: "crumbs" }, link("#/services", "Services"), ` / ${namespace}`),
    heading(name), state, bar.element,
    section("Pods", pods), log.element, section("Events", events), section("History", history),
    h("details", {}, h("summary", {}, "Document"), document));
  await poll(refresh, EVERY_S, signal, (error) => {
    if (error.status === 404) replace(state, h("p", {}, badge("gone", "open"), " There is no such service (any more)."));
    else {
      replace(state, h("p", {}, "Not known."));
      tell(error);
    }
    for (const part of [pods, events, history]) replace(part);
  });
}

/** What a service need not have: null where the API has none. */
const ifThere = (asked) => asked.catch((error) => {
  if (error.status !== 404) throw error;
  return null;
});

function stateOf(status) {
  return [
    h("p", { class: "state" }, readiness(status.ready), " ", status.detail),
    status.problem && h("div", { class: "trouble" }, h("p", {}, status.problem),
      status.remedy && h("p", { class: "remedy" }, `→ ${status.remedy}`)),
    facts([
      ["Revision", status.revision || ""],
      ["Rollout", status.rollout],
      ["Scaling", status.scaling],
      ["Addresses", status.urls.map((url) => h("div", {}, address(url)))],
    ]),
  ];
}

function historyColumns(home) {
  const differ = (line) => attempt(async () => {
    const answer = await request("GET", `${home}/diff?old=${line.number - 1}&new=${line.number}`);
    show(`Revision ${line.number - 1} to ${line.number}`, (await answer.text()) || "No difference.");
  });
  return [
    { title: "Revision", className: "number", cell: (line) => line.number },
    { title: "State", cell: (line) => [badge(line.state, GOOD[line.state] ?? "open"), line.runs && badge("runs", "good")] },
    { title: "Way", cell: (line) => line.strategy },
    { title: "Applied", cell: (line) => moment(line.created) },
    { title: "What changed", className: "long", cell: (line) => [line.reason && h("div", {}, line.reason), line.differences.join(", ")] },
    { title: "", cell: (line) => line.differences.length > 0
      && button("Diff", () => differ(line), { "aria-label": `Diff of revision ${line.number}`, class: "small" }) },
  ];
}
