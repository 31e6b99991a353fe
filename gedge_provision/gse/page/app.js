/** The page: which view the address asks for, and the token without which there is none. */

import { UNAUTHENTICATED, get, token } from "./api.js";
import { deploy } from "./deploy.js";
import { mesh, meshes, template, templates } from "./documents.js";
import { h } from "./dom.js";
import { attempt, clear, found, tell } from "./messages.js";
import { node, nodes } from "./nodes.js";
import { service } from "./service.js";
import { services } from "./services.js";
import { heading } from "./views.js";

const main = document.getElementById("main");
const user = document.getElementById("user");
const forget = document.getElementById("forget");
const theme = document.getElementById("theme");

/** Views by their name and by how many parts follow it. */
const VIEWS = { services, "services/2": service, nodes, "nodes/1": node, templates, "templates/2": template, meshes, "meshes/2": mesh, deploy };

let leaving = new AbortController();
let told = null; // the problem that the form for the token shows

function route() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  main.replaceChildren();
  document.querySelectorAll("dialog").forEach((dialog) => dialog.close());
  found();
  clear();
  if (!token.get()) {
    askToken();
    return;
  }
  const [where, parameters] = location.hash.replace(/^#\/?/, "").split("?");
  const [name = "", ...parts] = (where || "services").split("/").map(part);
  for (const link of document.querySelectorAll("#views a")) {
    if (link.getAttribute("href") === `#/${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const view = VIEWS[parts.length ? `${name}/${parts.length}` : name];
  if (view) {
    Promise.resolve(view({ main, parts, parameters: new URLSearchParams(parameters), signal }))
      .catch((error) => signal.aborted || tell(error));
  } else main.append(heading("No such view"), h("p", {}, "Nothing is here. The views are above."));
}

function part(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Show who is asked for, and do not take the token for good before the API has. */
function askToken() {
  user.textContent = "";
  forget.hidden = true;
  const input = h("input", { type: "password", id: "token", autocomplete: "off", spellcheck: "false", required: true, "aria-describedby": "token-hint" });
  const submit = h("button", { type: "submit", class: "primary" }, "Go on");
  const problem = h("div", { role: "alert" }, told && h("div", { class: "problem" }, h("div", {}, h("p", {}, told.message),
    told.remedy && h("p", { class: "remedy" }, `→ ${told.remedy}`))));
  told = null;
  const enter = async (event) => {
    event.preventDefault();
    const text = input.value.trim().replace(/^Bearer\s+/i, "");
    if (/^[A-Za-z0-9._~+/-]+=*$/.test(text)) token.keep(text);
    else told = { message: "this is no token: it has a space or a letter that none has", remedy: "copy it whole, and nothing else" };
    await (token.get() ? begin() : route());
  };
  main.append(heading("Who are you?"), problem,
    h("form", { class: "card token", onsubmit: enter },
      h("label", { for: "token" }, "Bearer token of the cluster"), input,
      h("div", { id: "token-hint", class: "soft" },
        h("p", {}, "The cluster decides by it what you may see and change. Of a service account, for one hour:"),
        h("pre", {}, "kubectl create token NAME --namespace NAMESPACE --duration 1h"),
        h("p", {}, "It is kept in this tab of the browser until you close it or press “Forget token”, and sent to this server alone.")),
      h("div", { class: "actions" }, submit)));
  input.focus();
}

/** Ask the API who the token is of, then show what the address asks for. */
async function begin() {
  clear();
  const who = await attempt(() => get("/whoami"));
  if (!who) return;
  user.textContent = who.username;
  forget.hidden = false;
  route();
  focusHeading();
}

function focusHeading() {
  main.querySelector("h1")?.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

document.addEventListener(UNAUTHENTICATED, ({ detail }) => {
  token.forget();
  told = detail;
  route();
});
forget.addEventListener("click", () => {
  token.forget();
  route();
});
window.addEventListener("hashchange", () => {
  route();
  if (token.get()) focusHeading();
});
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
theme.value = document.documentElement.dataset.theme;
theme.addEventListener("change", () => {
  document.documentElement.dataset.theme = theme.value;
  try {
    localStorage.setItem("gedge-theme", theme.value);
  } catch {
    // Kept until the page is left, then.
  }
});

if (token.get()) {
  forget.hidden = false;
  route();
  get("/whoami").then((who) => { user.textContent = who.username; }, tell);
} else route();
