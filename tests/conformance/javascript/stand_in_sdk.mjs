// A double of the SDK `arkor`, which is not installed on every machine. It wraps the client of the Node
// adapter and has the entry points and habits of the SDK (a closed list of models, platform timers,
// `Math.random`, `.arkor/state.json`, unchanged errors of fetch), but not its behaviour.
//
// STAND_IN_LIST names the way in which the list of models is stored (`model_lists.mjs`), or `closed` for
// a list that cannot be got past. With STAND_IN_ASYNC, `createTrainer` returns a promise.

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { LISTS, closed } from "./model_lists.mjs";
import { HttpError, Trainer, TransportError } from "./node/client.mjs";

export { HttpError as CloudApiError };

const { STAND_IN_LIST: way = "includes", STAND_IN_ASYNC: isAsync } = process.env;
const isSupported = { ...LISTS, closed }[way];

const untilAborted = (signal) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

const pause = (ms, signal) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => reject((clearTimeout(timer), signal.reason)));
  });

const clock = {
  now: () => 0,
  sleep: (ms, signal, purpose) => (purpose === "idle" ? untilAborted(signal) : pause(ms, signal)),
};

export const createTrainer = (input, context) =>
  isAsync ? (async () => make(input, context))() : make(input, context);

function make({ name, model, dataset, lora, callbacks, ...rest }, context) {
  if (!isSupported(model)) throw new Error(`Unsupported model "${model}"`);
  console.log(`training ${model}`); // This must not end up between the lines of the protocol.
  const { abortSignal, ...training } = rest;
  const state = JSON.parse(readFileSync(join(context.cwd, ".arkor", "state.json"), "utf8"));
  const heard = (each) => [each[0], (event) => each[1]({ ...event, job: {} })];
  const trainer = new Trainer({
    ...{ name, model, dataset, lora, training, abortSignal, clock, profile: "2026-07" },
    ...{ baseUrl: context.baseUrl, token: context.credentials.token },
    ...{ org: state.orgSlug, project: state.projectSlug },
    callbacks: Object.fromEntries(Object.entries(callbacks).map(heard)),
    initialReconnectDelayMs: context.reconnectDelayMs,
    maxReconnectDelayMs: context.maxReconnectDelayMs,
    maxReconnectAttempts: context.maxReconnectAttempts,
  });
  const asFetchDoes = (error) => {
    throw error instanceof TransportError ? error.cause : error;
  };
  return {
    start: () => trainer.start().catch(asFetchDoes),
    wait: () => trainer.wait().catch(asFetchDoes),
    cancel: () => trainer.cancel().catch(asFetchDoes),
  };
}
