/** What the containers of a service print. */

import { pieces, query, request } from "./api.js";
import { allow, button, h, section } from "./dom.js";
import { attempt } from "./messages.js";
import { field } from "./views.js";

const MOST = 5000; // lines that are kept here; a terminal would keep no more
const CONTROL = /\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]/g; // colours and other orders to a terminal

export function logs(home, name, signal) {
  const pod = h("select", { name: "pod" });
  const container = h("select", { name: "container" });
  const tail = h("input", { name: "tail", type: "number", min: "1", max: String(MOST), value: "100" });
  const follow = h("input", { name: "follow", type: "checkbox", checked: true });
  const previous = h("input", { name: "previous", type: "checkbox" });
  // Not live for screen readers: a busy log would talk without end.
  const text = h("pre", { tabindex: "0", role: "log", "aria-live": "off", "aria-label": `Log of ${name}`, class: "log" });
  const said = h("p", { class: "soft", role: "status" });
  let running = new AbortController();
  running.abort();

  const stop = () => running.abort();
  const start = () => attempt(async () => {
    stop();
    running = new AbortController();
    const mine = running;
    signal.addEventListener("abort", stop, { once: true });
    text.replaceChildren();
    kept.delete(text);
    allow(stopping, true);
    said.textContent = follow.checked ? "Following…" : "Loading…";
    try {
      const answer = await request("GET", query(`${home}/logs`, {
        pod: pod.value, container: container.value, tail: tail.value, follow: follow.checked, previous: previous.checked,
      }), { accept: "text/plain", signal: mine.signal });
      for await (const piece of pieces(answer)) append(text, piece);
      said.textContent = text.textContent ? "The log ends here." : "Nothing was printed.";
    } catch (error) {
      if (mine.signal.aborted) {
        if (mine === running) said.textContent = "Stopped.";
        return;
      }
      said.textContent = "The log broke off.";
      if (error.status !== undefined) throw error;
    } finally {
      if (mine === running) allow(stopping, false);
    }
  });
  const stopping = button("Stop", stop, { "aria-disabled": "true" });

  const form = h("form", { class: "filters", onsubmit: (event) => {
    event.preventDefault();
    start();
  } }, field("Pod", pod), field("Container", container), field("Last lines", tail),
  h("label", { class: "check" }, follow, "Follow"), h("label", { class: "check" }, previous, "Before its last restart"),
  h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Show log"), stopping));

  let pods = [];
  const offerContainers = () => fill(container, pods.find((one) => one.name === pod.value)?.containers ?? []);
  pod.addEventListener("change", offerContainers);
  return {
    element: section("Log", form, said, text),
    /** Offer pods with their containers; what is chosen stays. */
    offer: (found) => {
      pods = found;
      fill(pod, pods.map((one) => one.name));
      offerContainers();
    },
  };
}

function fill(select, names) {
  const { value } = select;
  select.replaceChildren(...names.map((name) => h("option", { value: name, selected: name === value }, name)));
}

/** Append a piece of a log, and drop the oldest pieces beyond what is kept; who reads further up stays there. */
function append(element, piece) {
  const atEnd = element.scrollHeight - element.scrollTop - element.clientHeight < 40;
  const text = piece.replace(CONTROL, "");
  element.append(text);
  kept.set(element.lastChild, text.split("\n").length - 1);
  let lines = (kept.get(element) ?? 0) + kept.get(element.lastChild);
  while (lines > MOST && element.childNodes.length > 1) {
    lines -= kept.get(element.firstChild);
    element.firstChild.remove();
  }
  kept.set(element, lines);
  if (atEnd) element.scrollTop = element.scrollHeight;
}

const kept = new WeakMap(); // how many lines an element or a piece has
