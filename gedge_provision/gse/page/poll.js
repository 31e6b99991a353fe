/** Asking again and again, for what no watch tells. */

import { found, lost } from "./messages.js";

const LONGEST_S = 30;
const PASSING = new Set([0, 429, 503]);

/**
 * Ask now and every few seconds until the view is left; nobody is asked while the page is not seen.
 * @param {function(): Promise} ask
 * @param {number} seconds
 * @param {AbortSignal} signal
 * @param {function(Error): void} failed told of what a second try does not mend; it is the end then
 */
export async function poll(ask, seconds, signal, failed) {
  let failures = 0;
  while (!signal.aborted) {
    let wait = seconds;
    let again = () => {};
    const waited = (time) => new Promise((resolve) => {
      const timer = setTimeout(resolve, time * 1000);
      again = () => {
        clearTimeout(timer);
        resolve();
      };
      signal.addEventListener("abort", again, { once: true });
    });
    try {
      if (!document.hidden) await ask();
      if (failures) found();
      failures = 0;
      await waited(wait);
    } catch (error) {
      if (signal.aborted) return;
      if (!PASSING.has(error.status)) {
        failed(error);
        return;
      }
      failures += 1;
      wait = error.retryAfter ?? Math.min(2 ** (failures - 1), LONGEST_S);
      const over = waited(wait);
      lost(wait, () => again());
      await over;
    }
  }
}
