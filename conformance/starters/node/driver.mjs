// The driver: it opens a client for each of the kit's cases and classifies the client's errors.
// Fill in the parts marked YOURS. `drive.mjs` talks to the kit; do not change it.

import { Client, HttpError } from "./client.mjs"; // YOURS: your client instead
import { serve } from "./drive.mjs";

const HELLO = {
  impl: "stand-in (replace it with your client)", // YOURS: the name of your client
  version: "0",
  // YOURS: the protocol revisions that it implements: "2026-05", "2026-07", "hardened".
  profiles: ["2026-07"],
  // YOURS: its capabilities. Any you leave out are not judged. See the guide, section 7.
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
  // YOURS: create your client with these settings. Where a case has none, use your own default.
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
  // YOURS: "http", "gave_up" (no attempts left), "transport" (no response, or a broken one) or
  // "protocol" (a response that makes no sense). `drive.mjs` handles "aborted" and "callback".
  if (error instanceof HttpError) return { kind: "http", status: error.status };
  if (error instanceof TypeError && error.cause) return { kind: "transport" };
  return { kind: "other" };
}

await serve(HELLO, open, explain);
