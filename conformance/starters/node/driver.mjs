// The driver: it opens a client for each case of the kit, and names the kind of its errors. What is
// yours to fill in is marked YOURS. `drive.mjs` talks to the kit; do not change it.

import { Client, HttpError } from "./client.mjs"; // YOURS: your client instead
import { serve } from "./drive.mjs";

const HELLO = {
  impl: "stand-in (replace it with your client)", // YOURS: the name of your client
  version: "0",
  // YOURS: the revisions of the protocol that it follows, of "2026-05", "2026-07" and "hardened".
  profiles: ["2026-07"],
  // YOURS: what it can do; what you leave out is not judged. The guide, section 7, explains each.
  // Others: "callbacks.async", "concurrent", "rng", "clock.virtual", "clock.advance",
  // "config.idle", "attach".
  capabilities: ["create", "cancel", "abort", "config.backoff"],
};

const CALLBACKS = {
  "training.started": "started",
  "training.log": "log",
  "checkpoint.saved": "checkpoint",
  "training.completed": "completed",
  "training.failed": "failed",
};

function open(desk) {
  const { config } = desk; // The guide, section 3, explains each key.
  // YOURS: make your client with these. What a case leaves out is your client's default.
  const client = new Client({
    baseUrl: config.base_url,
    token: config.token,
    org: config.org,
    project: config.project,
    name: config.name,
    input: config.input,
    retryMs: config.initial_ms ?? 1000,
    signal: desk.signal, // `abort` aborts this.
    onEvent: async (type, data) => {
      if (type in CALLBACKS) await desk.hear(CALLBACKS[type], data);
    },
  });
  return {
    start: async () => ({ job_id: await client.start() }),
    wait: () => client.wait(), // resolves with {job, artifacts}
    cancel: () => client.cancel(),
  };
}

function explain(error) {
  // YOURS: "http", "gave_up" (no more attempts), "transport" (no answer, or a broken one) or
  // "protocol" (an answer that makes no sense); "aborted" and "callback" are done already.
  if (error instanceof HttpError) return { kind: "http", status: error.status };
  if (error instanceof TypeError && error.cause) return { kind: "transport" };
  return { kind: "other" };
}

await serve(HELLO, open, explain);
