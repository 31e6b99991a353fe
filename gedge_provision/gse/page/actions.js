/** What can be done with a service, each asked about first where it changes pods. */

import { send } from "./api.js";
import { ask, button, h, link } from "./dom.js";
import { attempt, leave } from "./messages.js";
import { field } from "./views.js";

/**
 * @param {Object} options
 * @param {string} options.namespace
 * @param {string} options.name of the service
 * @param {string} options.home its path below /gse/v1
 * @param {function(string, string, Object=): Promise} options.act says what was done, after a POST to a path below home
 */
export function actions({ namespace, name, home, act }) {
  let numbers = [];
  let pods = 1;

  const scale = async () => {
    const input = h("input", { type: "number", name: "replicas", min: "1", max: "1000", required: true, value: Math.max(pods, 1) });
    const answer = await ask({ title: `Scale ${name}`, confirm: "Scale", content: [field("Number of pods", input),
      h("p", { class: "soft" }, "It holds until the document is applied again.")] });
    const replicas = Number(answer?.get("replicas"));
    if (answer) await act(`${name} is scaled to ${replicas}.`, "/scale", { replicas });
  };
  const restart = async () => {
    const answer = await ask({ title: `Restart ${name}?`, confirm: "Restart",
      content: h("p", {}, "All of its pods are made anew, in the way of an update.") });
    if (answer) await act(`${name} is restarted.`, "/restart");
  };
  const rollback = async () => {
    const select = h("select", { name: "to" }, h("option", { value: "" }, "the last good one before what runs"),
      [...numbers].reverse().map((number) => h("option", { value: number }, `revision ${number}`)));
    const answer = await ask({ title: `Roll ${name} back`, confirm: "Roll back", content: field("To", select) });
    if (answer) await act(`${name} is rolled back.`, "/rollback", { to: Number(answer.get("to")) || null });
  };
  const remove = async () => {
    const input = h("input", { name: "name", autocomplete: "off", spellcheck: "false" });
    const answer = await ask({ title: `Delete ${name}?`, confirm: "Delete", dangerous: true,
      allowed: (filled) => filled.get("name") === name,
      content: [h("p", {}, "Its pods end, and its revisions are forgotten. Persistent volumes of its pods stay."),
        field(`Type ${name} to confirm`, input)] });
    if (!answer) return;
    await attempt(async () => {
      await send("DELETE", home);
      leave("#/services", `${namespace}/${name} is being deleted.`);
    });
  };

  const promote = button("Promote", () => act(`The trial of ${name} becomes what runs.`, "/promote"), { class: "primary" });
  const pause = button("Pause", () => act(`Changes of the pods of ${name} are held back.`, "/pause"));
  const resume = button("Resume", () => act(`${name} goes on.`, "/resume"));
  promote.hidden = resume.hidden = true;
  const element = h("div", { class: "actions", role: "group", "aria-label": `What can be done with ${name}` },
    promote, button("Scale…", scale), button("Restart…", restart), pause, resume, button("Roll back…", rollback),
    link(`#/deploy?${new URLSearchParams({ namespace, from: name })}`, "Edit", { class: "button" }),
    button("Delete…", remove, { class: "danger" }));

  return {
    element,
    /** Offer what makes sense as the service is; the focus goes on where its button goes. */
    offer: (status, history) => {
      numbers = history.map((line) => line.number);
      pods = status.pods.length;
      const focused = document.activeElement;
      promote.hidden = !history.some((line) => line.state === "on trial");
      pause.hidden = status.rollout.startsWith("paused");
      resume.hidden = status.rollout === "";
      if (focused?.hidden && focused === pause) resume.focus();
      else if (focused?.hidden && element.contains(focused)) element.querySelector("button:not([hidden])").focus();
    },
  };
}
