// The driver of the npm package `eventsource`, an EventSource for Node, which cannot create jobs.
// The package opens the stream, reads it, keeps the cursor, waits and reopens it. This driver
// interprets the events with functions of `../node`. The kit controls the package's timers.

import { readFileSync } from "node:fs";
import { loaded, serve } from "../node/drive.mjs";
import { readEvent } from "../node/events.mjs";
import { parseObject } from "../node/json.mjs";

const load = () => import("eventsource");
const { EventSource } = await loaded(load, import.meta.url, "--no-package-lock");
const installed = new URL("node_modules/eventsource/package.json", import.meta.url);
const { version } = JSON.parse(readFileSync(installed, "utf8"));
const capabilities = ["attach", "abort", "clock.virtual"];
const hello = { impl: "eventsource (npm)", version, profiles: ["2026-07"], capabilities };
const { setTimeout, clearTimeout } = globalThis;
const CALLBACKS = {
  "training.started": "started",
  "training.log": "log",
  "checkpoint.saved": "checkpoint",
  "training.completed": "completed",
  "training.failed": "failed",
};

const LAST = ["training.completed", "training.failed"];

class Failed extends Error {}
class Unsupported extends Error {}

/** An EventSource that calls `onEvent` with every event, whatever its name. */
class Source extends EventSource {
  onEvent = () => {};

  dispatchEvent(event) {
    if (event instanceof MessageEvent) this.onEvent(event);
    return super.dispatchEvent(event);
  }
}

function open(desk) {
  const { base_url, token, org, project, job: id, last_event_id: cursor, throw_in } = desk.config;
  if (cursor) throw new Unsupported("an EventSource always begins without a cursor");
  if (throw_in) throw new Unsupported("an error in a listener of an EventSource goes unreported");
  // Node's own timers stay real, because fetch uses some.
  const isReal = () => !desk.virtual || new Error().stack.split("\n", 4)[3].includes("node:");
  globalThis.setTimeout = (effect, ms, ...given) =>
    isReal() ? setTimeout(effect, ms, ...given) : { end: desk.timer(ms, "reconnect", effect) };
  globalThis.clearTimeout = (timer) => (timer?.end ? timer.end() : clearTimeout(timer));
  const url = new URL(`/v1/jobs/${encodeURIComponent(id)}/events/stream`, base_url);
  url.search = `orgSlug=${encodeURIComponent(org)}&projectSlug=${encodeURIComponent(project)}`;
  const own = { Authorization: `Bearer ${token}`, "X-Arkor-Client": "kit/1" };
  const authorised = (target, init) =>
    fetch(target, { ...init, headers: { ...init.headers, ...own } });
  let job = { id };
  let following = null;

  function note(event) {
    const at = event.timestamp;
    if (event.type === "training.started") job = { ...job, status: "running", startedAt: at };
    if (event.type === "training.completed") job = { ...job, status: "completed", completedAt: at };
    if (event.type === "training.failed") {
      job = { ...job, status: "failed", completedAt: at, error: event.error };
    }
    if (event.type !== "checkpoint.saved") return event;
    return { ...event, adapter: { kind: "checkpoint", jobId: id, step: event.step } };
  }

  function follow() {
    return new Promise((resolve, reject) => {
      desk.signal.throwIfAborted();
      const source = new Source(url, { fetch: authorised });
      desk.signal.addEventListener("abort", () => (source.close(), reject(desk.signal.reason)));
      source.onerror = ({ code, message }) => {
        if (source.readyState !== EventSource.CLOSED) return; // It will reconnect.
        reject(Object.assign(new Failed(message), { status: code }));
      };
      source.onEvent = ({ type, data }) => {
        const event = type === "ping" || type === "end" ? null : readEvent(parseObject(data));
        const isLast = type === "end" || LAST.includes(event?.type);
        if (isLast) source.close();
        const heard = event && desk.hear(CALLBACKS[event.type], note(event)); // An EventSource does not wait.
        if (!isLast) return;
        const result = { job, artifacts: event?.artifacts ?? [] };
        resolve(heard ? heard.then(() => result) : result);
      };
    });
  }

  const again = () => following.catch(() => {
    throw new Unsupported("an EventSource that has failed cannot be opened again");
  });
  const wait = () => (following ? again() : (following = follow()));
  return { wait };
}

function explain(error) {
  if (error instanceof Unsupported) return { kind: "unsupported" };
  if (!(error instanceof Failed)) return { kind: "other" };
  return error.status === 200 ? { kind: "protocol" } : { kind: "http", status: error.status };
}

await serve(hello, open, explain);
