// A trainer creates a job and follows it to its end. Callers can pass in the clock, the random
// source and the abort signal. Nothing here depends on the conformance kit.

import { Backoff, retryAfter } from "./backoff.mjs";
import { GaveUp, HttpError, TransportError } from "./errors.mjs";
import { blocks } from "./event-stream.mjs";
import { readEvent } from "./events.mjs";
import { isEventStream, isIdentity } from "./head.mjs";
import { parseObject } from "./json.mjs";
import { PROFILES } from "./profiles.mjs";
import { Wire, received, within } from "./wire.mjs";

export * from "./errors.mjs";

const NOT_FOUND_GRACE_MS = 30_000;
const BYTE_TIMEOUT_MS = 45_000;
const MOST_IDS = 4096;

const CALLBACKS = {
  "training.started": "onStarted",
  "training.log": "onLog",
  "checkpoint.saved": "onCheckpoint",
  "training.completed": "onCompleted",
  "training.failed": "onFailed",
};
const TERMINAL = new Set(["training.completed", "training.failed", "end"]);
const OVER = new Set(["completed", "failed", "cancelled"]);
const SAYS_TERMINAL = /"type"\s*:\s*"training\.(?:completed|failed)"/;
const ANSWER_PATIENCE_MS = 30_000;
const PATIENCE_AFTER_END_MS = 5000;
const LORA = { r: "loraR", alpha: "loraAlpha", maxLength: "maxLength", loadIn4bit: "loadIn4bit" };

/** Real time. `sleep` rejects with the signal's reason if it is aborted. */
const WALL_CLOCK = {
  now: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      const abort = () => reject((clearTimeout(timer), signal.reason));
      const timer = setTimeout(() => {
        signal.removeEventListener("abort", abort);
        resolve();
      }, ms);
      if (signal.aborted) abort();
      else signal.addEventListener("abort", abort, { once: true });
    }),
};

/** A failure that counts against the budget; every other error ends the wait. */
class Setback extends Error {}

export class Trainer {
  #options;
  #profile;
  #wire;
  #clock;
  #signal;
  #backoffOptions;
  #job = null;
  #cursor = "";
  #acceptedAt = -Infinity;
  #idempotencyKey;
  #creating = null;
  #waiting = null;
  #cancelling = null;
  #result = null;
  #streamFloor = 0;
  #ids = new Set();

  /**
   * Options: baseUrl, token, org, project, profile; name, model, dataset, lora and the other
   * training options (or `job`, and optionally `lastEventId`, to follow an existing job);
   * callbacks {onStarted, …}, abortSignal; initialReconnectDelayMs, maxReconnectDelayMs,
   * maxReconnectAttempts, byteTimeoutMs, progressTimeoutMs; clock {now, sleep}, random.
   */
  constructor(options) {
    const { profile = "2026-05", clock = WALL_CLOCK, dataset, abortSignal, job } = options;
    this.#options = options;
    this.#profile = PROFILES[profile];
    this.#clock = clock;
    this.#wire = new Wire({ ...options, clock, secrets: [dataset?.token] });
    this.#signal = abortSignal ?? new AbortController().signal;
    this.#idempotencyKey = this.#profile.strict ? crypto.randomUUID() : null;
    if (job) this.#job = { id: job };
    this.#cursor = options.lastEventId ?? "";
  }

  /** Submit the job, once; overlapping calls share one request (ARK-CRE-2, -3). */
  start() {
    if (this.#job) return Promise.resolve({ jobId: this.#job.id });
    this.#creating ??= this.#create().finally(() => (this.#creating = null));
    return this.#creating;
  }

  /** Follow the job to its end; resolves with {job, artifacts}. */
  wait() {
    if (this.#result) return Promise.resolve(this.#result);
    this.#waiting ??= this.#follow().finally(() => (this.#waiting = null));
    return this.#waiting;
  }

  /** Ask the backend to stop the job; does nothing if there is no job (ARK-CAN-1, -7, -8). */
  cancel() {
    if (!this.#job && !this.#creating) return Promise.resolve();
    this.#cancelling ??= this.#cancel().finally(() => (this.#cancelling = null));
    return this.#cancelling;
  }

  async #create() {
    const { name } = this.#options;
    const body = { name, config: jobConfig(this.#options) };
    this.#job = await this.#wire.create(body, this.#idempotencyKey);
    this.#acceptedAt = this.#clock.now();
    return { jobId: this.#job.id };
  }

  async #cancel() {
    await this.#creating?.catch(() => {}); // start() reports a failed create.
    if (this.#job) await this.#wire.cancel(this.#job.id);
  }

  async #follow() {
    this.#signal.throwIfAborted();
    if (!this.#job) await this.#unlessAborted(this.start());
    const backoff = this.#newBackoff();
    for (;;) {
      let delay;
      try {
        const terminal = await this.#streamOnce(backoff);
        if (terminal) return await this.#conclude(terminal);
        delay = backoff.afterCleanEnd();
      } catch (error) {
        this.#signal.throwIfAborted();
        if (!(error instanceof Setback)) throw error;
        if (!backoff.fail()) throw new GaveUp(backoff.failures, error.cause);
        delay = backoff.afterFailure();
      }
      await this.#clock.sleep(delay, this.#signal, "reconnect");
    }
  }

  #newBackoff() {
    const { random = Math.random, ...options } = this.#options;
    const limits = {
      initialMs: options.initialReconnectDelayMs,
      maxMs: options.maxReconnectDelayMs,
      maxAttempts: options.maxReconnectAttempts,
    };
    const backoff = new Backoff(limits, random, this.#profile.strict);
    backoff.streamFloor = this.#streamFloor;
    return backoff;
  }

  /** Open and read one stream; resolves with its terminal frame, or with null after a clean end. */
  async #streamOnce(backoff) {
    const connection = new AbortController();
    const signal = AbortSignal.any([connection.signal, this.#signal]);
    const progress = { made: false, at: this.#clock.now(), empty: true, lostEnd: null };
    const resumed = this.#cursor !== "";
    let broken = null;
    try {
      const body = await this.#open(backoff, signal);
      const asked = (ms) => {
        if (this.#profile.strict) this.#streamFloor = backoff.streamFloor = ms;
      };
      for await (const block of blocks(this.#reading(body, progress, signal), asked)) {
        const frame = this.#note(block, backoff, progress);
        if (TERMINAL.has(frame?.type)) return frame;
        if (frame) await this.#deliver(frame);
      }
    } catch (error) {
      if (!(error instanceof Setback) || progress.lostEnd === null) throw error;
      broken = error;
    } finally {
      connection.abort(); // Nothing more is expected on this connection (ARK-STR-7).
    }
    if (this.#profile.strict && ((resumed && progress.empty) || progress.lostEnd !== null)) {
      if (await this.#isOver()) return { type: "end" };
    }
    if (broken) throw broken;
    if (!progress.made) throw setback(new TransportError("the stream ended without progress"));
    return null;
  }

  /** Request the job and return whether it is over; if so, store it (ARK-STR-18, -19). */
  async #isOver() {
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, this.#signal]);
    const asked = this.#wire.job(this.#job.id, signal).catch((error) => {
      this.#signal.throwIfAborted();
      if (over.signal.aborted) return null;
      throw error;
    });
    const job = await within(asked, ANSWER_PATIENCE_MS, this.#clock, this.#signal, () => null);
    over.abort();
    if (!OVER.has(job?.status)) return false;
    this.#job = job;
    return true;
  }

  async #open(backoff, signal) {
    let response;
    this.#remember(this.#cursor); // It may come from a block without data (ARK-BUD-14).
    try {
      response = await this.#wire.openStream(this.#job.id, this.#cursor, signal);
    } catch (error) {
      throw error instanceof TransportError ? setback(error) : error;
    }
    if (this.#isStream(response)) return response.body;
    if (this.#profile.strict) backoff.onceFloor = retryAfter(response.headers);
    const refusal = response.ok
      ? new HttpError(response.status, "the answer is not an event stream") // Do not read its body.
      : await this.#wire.refusal(response, signal);
    throw this.#isPermanent(response.status) ? refusal : setback(refusal);
  }

  #isStream({ ok, status, headers }) {
    if (!ok || !isIdentity(headers)) return false;
    return !this.#profile.strict || (status === 200 && isEventStream(headers));
  }

  #isPermanent(status) {
    if (this.#profile.strict && status === 404) {
      return this.#clock.now() - this.#acceptedAt > NOT_FOUND_GRACE_MS;
    }
    return this.#profile.permanent(status);
  }

  /** Return a function that reads the next chunk of a body; it fails when an idle timer expires. */
  #reading(body, progress, signal) {
    const reader = body?.getReader();
    const { byteTimeoutMs = BYTE_TIMEOUT_MS, progressTimeoutMs = Infinity } = this.#options;
    const silent = () => {
      throw setback(new TransportError("the stream is silent"));
    };
    return async () => {
      if (!reader) return { done: true };
      const chunk = received(reader.read(), signal).catch((error) => {
        throw error instanceof TransportError ? setback(error) : error;
      });
      if (!this.#profile.strict) return chunk;
      const now = this.#clock.now();
      const left = progressTimeoutMs - (now - progress.at);
      const after = (progress.lostEnd ?? Infinity) + PATIENCE_AFTER_END_MS - now;
      return within(chunk, Math.min(byteTimeoutMs, left, after), this.#clock, signal, silent);
    };
  }

  /** Move the cursor, note progress, and return the event to deliver, or null. */
  #note({ id, event, data }, backoff, progress) {
    const known = id !== undefined && this.#ids.has(id);
    if (id !== undefined) this.#cursor = id;
    if (data === "") return null; // A block without data dispatches nothing.
    if (id !== undefined) this.#remember(id);
    const content = event === "ping" ? null : parseObject(data);
    if (event !== "ping") progress.empty = false;
    if (CALLBACKS[content?.type]) progress.lostEnd = null;
    else if (content === null && (TERMINAL.has(event) || SAYS_TERMINAL.test(data))) {
      progress.lostEnd = this.#clock.now();
    }
    const productive = {
      "any frame": true,
      "a JSON object": content !== null,
      "a JSON object with a new id": content !== null && !known,
    };
    if (productive[this.#profile.progress]) {
      Object.assign(progress, { made: true, at: this.#clock.now() });
      backoff.failures = 0;
    }
    return event === "end" ? { type: "end" } : readEvent(content);
  }

  #remember(id) {
    this.#ids.add(id);
    if (this.#ids.size > MOST_IDS) this.#ids.delete(this.#ids.values().next().value);
  }

  async #deliver(frame) {
    if (frame.type === "training.started") {
      const startedAt = frame.timestamp ?? this.#job.startedAt;
      this.#job = { ...this.#job, status: "running", startedAt };
    }
    try {
      await this.#call(frame);
    } catch (error) {
      this.#signal.throwIfAborted();
      throw this.#profile.callbackErrorsReject ? error : setback(error);
    }
  }

  async #conclude(frame) {
    if (frame.type !== "end") {
      const status = frame.type.slice("training.".length);
      const completedAt = frame.timestamp ?? this.#job.completedAt;
      // An earlier error of the job is dropped if the job completed (ARK-EVT-24).
      const error = frame.type === "training.failed" ? frame.error : undefined;
      this.#job = { ...this.#job, status, completedAt, error };
    }
    const artifacts = frame.type === "training.completed" ? frame.artifacts : [];
    try {
      await this.#call(frame);
    } catch (error) {
      this.#signal.throwIfAborted();
      this.#result = { job: this.#job, artifacts };
      if (this.#profile.callbackErrorsReject) throw error;
    }
    return (this.#result = { job: this.#job, artifacts });
  }

  #call(frame) {
    const callback = this.#options.callbacks?.[CALLBACKS[frame.type]];
    const event = { ...frame };
    if (frame.type === "checkpoint.saved") {
      event.adapter = { kind: "checkpoint", jobId: this.#job.id, step: frame.step };
    }
    return this.#unlessAborted((async () => callback?.(event))());
  }

  /** Resolve like `promise`, or reject if the abort comes first and ignore what `promise` does. */
  #unlessAborted(promise) {
    const signal = this.#signal;
    return new Promise((resolve, reject) => {
      const abort = () => reject(signal.reason);
      if (signal.aborted) abort();
      else signal.addEventListener("abort", abort, { once: true });
      promise.finally(() => signal.removeEventListener("abort", abort)).then(resolve, reject);
    });
  }
}

function setback(cause) {
  return new Setback("a failure of the budget", { cause });
}

/** Return the flat configuration for the wire, without the options not given (ARK-WIR-5). */
function jobConfig({ model, dataset, lora, training }) {
  const renamed = Object.entries(lora ?? {}).map(([key, value]) => [LORA[key] ?? key, value]);
  return { model, datasetSource: dataset, ...Object.fromEntries(renamed), ...training };
}
