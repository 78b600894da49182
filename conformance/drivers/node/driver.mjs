// The driver of `client.mjs`. An adapter only has to turn the configuration of a case into options
// and classify errors.

import { loaded, serve } from "./drive.mjs";

const client = await loaded(() => import("./client.mjs"), import.meta.url, "--no-package-lock");
const { GaveUp, HttpError, ProtocolError, Trainer, TransportError } = client;

const HELLO = {
  impl: "node (fetch, eventsource-parser)",
  version: "0.1.0",
  profiles: ["2026-05", "2026-07", "hardened"],
  capabilities: [
    ...["clock.virtual", "rng", "abort", "cancel", "concurrent", "callbacks.async"],
    ...["create", "clock.advance", "config.backoff", "config.idle", "attach"],
  ],
};

function open(desk) {
  const { config } = desk;
  const { model, dataset, lora, ...training } = config.input;
  const trainer = new Trainer({
    ...{ baseUrl: config.base_url, token: config.token, org: config.org, project: config.project },
    ...{ profile: config.profile, name: config.name, model, dataset, lora, training },
    ...{ job: config.job, lastEventId: config.last_event_id },
    initialReconnectDelayMs: config.initial_ms,
    maxReconnectDelayMs: config.max_ms,
    maxReconnectAttempts: config.max_attempts,
    byteTimeoutMs: config.idle_ms,
    progressTimeoutMs: config.progress_ms,
    clock: { now: desk.now, sleep: desk.sleep },
    random: desk.random,
    abortSignal: desk.signal,
    callbacks: {
      onStarted: (event) => desk.hear("started", event),
      onLog: (event) => desk.hear("log", event),
      onCheckpoint: (event) => desk.hear("checkpoint", event),
      onCompleted: (event) => desk.hear("completed", event),
      onFailed: (event) => desk.hear("failed", event),
    },
  });
  return {
    start: async () => ({ job_id: (await trainer.start()).jobId }),
    wait: () => trainer.wait(),
    cancel: () => trainer.cancel(),
  };
}

function explain(error) {
  if (error instanceof HttpError) return { kind: "http", status: error.status };
  if (error instanceof GaveUp) return { kind: "gave_up" };
  if (error instanceof TransportError) return { kind: "transport" };
  if (error instanceof ProtocolError) return { kind: "protocol" };
  return { kind: "other" };
}

await serve(HELLO, open, explain);
