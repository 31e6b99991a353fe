/** Watches: server-sent events by fetch, since an EventSource cannot send the token. */

import { Problem, pieces, request } from "./api.js";

const LONGEST_S = 30;
const SILENCE_MS = 45000; // three pings of the server
const FINAL = new Set([400, 401, 403, 404, 405, 422]);

/** The events of a stream, as the HTML standard reads them (9.2.6), without `retry`. */
export async function* events(answer) {
  let rest = "";
  let event = { type: "message", data: [] };
  for await (const piece of pieces(answer)) {
    yield null; // something came, be it a ping
    const lines = (rest + piece).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (event.data.length) yield { type: event.type, data: event.data.join("\n") };
        event = { type: "message", data: [] };
      } else if (!line.startsWith(":")) {
        const [, name, value] = /^([^:]*)(?:: ?(.*))?$/s.exec(line);
        if (name === "event") event.type = value ?? "";
        else if (name === "data") event.data.push(value ?? "");
      }
    }
  }
}

/**
 * Watch a list until the view is left, again and again after a loss.
 * @param {string} where path below /gse/v1
 * @param {Object} on `put(line)`, `remove(line)`, `begin()`: a first state comes, `synced()`: it is complete,
 *   `lost(seconds, retry)`: the connection is gone, and tried again after seconds or by `retry()`, `found()`: it is back.
 * @param {AbortSignal} signal
 * @throws {Problem} that no second try mends.
 */
export async function watch(where, on, signal) {
  let failures = 0;
  while (!signal.aborted) {
    let wait = null;
    const attempt = new AbortController();
    const stop = () => attempt.abort();
    signal.addEventListener("abort", stop);
    let silence = setTimeout(stop, SILENCE_MS);
    try {
      const answer = await request("GET", where, { accept: "text/event-stream", signal: attempt.signal });
      on.begin();
      for await (const event of events(answer)) {
        if (event === null) {
          clearTimeout(silence);
          silence = setTimeout(stop, SILENCE_MS);
        } else if (event.type === "synced") {
          failures = 0;
          on.found();
          on.synced();
        } else if (event.type === "problem") {
          const body = JSON.parse(event.data);
          throw new Problem(body, body.status);
        } else if (event.type === "deleted") on.remove(JSON.parse(event.data));
        else if (event.type === "added" || event.type === "modified") on.put(JSON.parse(event.data));
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem) {
        if (FINAL.has(error.status)) throw error;
        wait = error.retryAfter;
      }
    } finally {
      clearTimeout(silence);
      signal.removeEventListener("abort", stop);
    }
    if (signal.aborted) return;
    failures += 1;
    await pause(wait ?? Math.min(2 ** (failures - 1), LONGEST_S), on.lost, signal);
  }
}

/** Wait for some seconds, or until somebody does not want to wait. */
function pause(seconds, lost, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, seconds * 1000);
    const now = () => {
      clearTimeout(timer);
      resolve();
    };
    signal.addEventListener("abort", now, { once: true });
    lost(seconds, now);
  });
}
