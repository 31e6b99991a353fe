/** Calls of /gse/v1 with the reader's token. It is kept for this tab alone, and goes nowhere but into the header. */

const BASE = "/gse/v1";
const KEPT = "gedge-token";

/** The event that says that the token is not, or no longer, good. */
export const UNAUTHENTICATED = "gedge-unauthenticated";

/** What the API says is wrong (problem+json). `status` is 0 where no answer came. */
export class Problem extends Error {
  constructor(body, status, retryAfter = null) {
    super(body.detail || body.title || `HTTP status ${status}`);
    this.status = status;
    this.code = String(body.type ?? "").split("/").pop();
    this.title = body.title ?? "";
    this.place = /^https?:\/\//i.test(body.place) ? "" : body.place ?? ""; // an address inside the cluster helps nobody here
    this.remedy = body.remedy ?? "";
    this.findings = body.findings ?? [];
    this.retryAfter = retryAfter;
  }
}

export const token = {
  get: () => sessionStorage.getItem(KEPT),
  keep: (text) => sessionStorage.setItem(KEPT, text),
  forget: () => sessionStorage.removeItem(KEPT),
};

/** A path of parts, each escaped: path("namespaces", "default", "services") */
export const path = (...parts) => `/${parts.map(encodeURIComponent).join("/")}`;

/** A path with the parameters that are neither null nor empty. */
export function query(where, parameters) {
  const told = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return told.length ? `${where}?${new URLSearchParams(told)}` : where;
}

/**
 * Ask the API.
 * @returns {Promise<Response>} an answer that is no error.
 * @throws {Problem} any other, and none at all.
 */
export async function request(method, where, { body, type = "application/json", accept, signal } = {}) {
  const headers = { Authorization: `Bearer ${token.get()}` };
  if (accept) headers.Accept = accept;
  if (body !== undefined) headers["Content-Type"] = type;
  let answer;
  try {
    answer = await fetch(BASE + where, { method, headers, body, signal, cache: "no-store" });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem({ title: "No answer", detail: "the GSE API server does not answer",
      remedy: "look whether it runs, and whether this machine has a network" }, 0);
  }
  if (answer.ok) return answer;
  const retryAfter = Number(answer.headers.get("Retry-After")) || null;
  const problem = new Problem(await answer.json().catch(() => ({})), answer.status, retryAfter);
  if (problem.status === 401) document.dispatchEvent(new CustomEvent(UNAUTHENTICATED, { detail: problem }));
  throw problem;
}

export const get = async (where, options) => (await request("GET", where, options)).json();

/** Send a change, which goes on when its view is left; what the API answers, null where it has nothing to say. */
export async function send(method, where, body, type) {
  const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  const answer = await request(method, where, { body: text, type });
  return answer.status === 204 ? null : answer.json();
}

/** All items of a list, page by page. */
export async function all(where, { signal } = {}) {
  const items = [];
  let cursor = null;
  do {
    const page = await get(query(where, { limit: 500, cursor }), { signal });
    items.push(...page.items);
    cursor = page.next;
  } while (cursor);
  return items;
}

/** The text of an answer as it comes. */
export async function* pieces(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
