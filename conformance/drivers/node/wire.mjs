// Send the requests of a trainer, and read their responses within limits of size and time.

import { HttpError, ProtocolError, TransportError } from "./errors.mjs";
import { redirectTarget } from "./head.mjs";
import { parseObject } from "./json.mjs";

const CLIENT = "arkor-kit-node/0.1.0";
const LONGEST_ANSWER = 2 ** 20;
const LONGEST_ERROR = 2 ** 16;
const ERROR_PATIENCE_MS = 5000;
const MOST_REDIRECTS = 5;
const MOST_CURSOR_BYTES = 1024;

export class Wire {
  #base;
  #query;
  #token;
  #secrets;
  #clock;

  constructor({ baseUrl, token, org, project, secrets, clock }) {
    this.#base = baseUrl.replace(/\/+$/, "");
    this.#query = new URLSearchParams({ orgSlug: org, projectSlug: project });
    this.#token = token;
    this.#secrets = [token, ...secrets].filter(Boolean);
    this.#clock = clock;
  }

  /** Submit a job; resolves with the job that the backend created. */
  async create(body, idempotencyKey) {
    const response = await this.#send("POST", this.#url("/v1/jobs"), {
      headers: {
        "Content-Type": "application/json",
        ...(idempotencyKey && { "Idempotency-Key": idempotencyKey }),
      },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw await this.refusal(response);
    const { text, whole } = await received(readUpTo(response, LONGEST_ANSWER));
    const job = whole ? parseObject(text)?.job : null;
    if (!isJobId(job?.id)) {
      throw new ProtocolError("create: the answer has no job whose id can be used in a path");
    }
    return job;
  }

  /** Request the job; resolves with null if the response does not contain it (ARK-STR-19). */
  async job(jobId, signal) {
    try {
      const response = await this.#send("GET", this.#url(jobPath(jobId)), { signal });
      const { text, whole } = await received(readUpTo(response, LONGEST_ANSWER, signal), signal);
      const job = response.ok && whole ? parseObject(text)?.job : null;
      return job?.id === jobId ? job : null;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof TransportError) return null;
      throw error;
    }
  }

  async cancel(jobId) {
    const response = await this.#send("POST", this.#url(`${jobPath(jobId)}/cancel`));
    if (!response.ok) throw await this.refusal(response);
    // Only the status matters. The body is read so that the connection can be reused.
    await this.#drained(response);
  }

  /** Open a stream after `cursor`; follows redirects of the same origin (ARK-SEC-1, ARK-SEC-2). */
  async openStream(jobId, cursor, signal) {
    const headers = {
      Accept: "text/event-stream",
      "Accept-Encoding": "identity",
      "Cache-Control": "no-cache",
      ...(cursor && { "Last-Event-ID": headerValue(cursor) }),
    };
    let url = this.#url(`${jobPath(jobId)}/events/stream`);
    for (let redirects = 0; ; redirects += 1) {
      const response = await this.#send("GET", url, { headers, signal });
      const moved = [301, 302, 303, 307, 308].includes(response.status);
      if (!moved || !response.headers.get("location")) return response;
      await response.body?.cancel();
      const next = redirectTarget(response.headers, url);
      if (next?.origin !== url.origin) throw new TransportError("redirected to another origin");
      if (next.username || next.password) throw new TransportError("redirected with credentials");
      if (redirects === MOST_REDIRECTS) throw new TransportError("redirected too many times");
      url = next;
    }
  }

  /** Return the error for a response outside 2xx, with the backend's message, without secrets. */
  async refusal(response, signal) {
    const text = await this.#drained(response, signal);
    const body = parseObject(text);
    const said = typeof body?.error === "string" && body.error ? body.error : text;
    return new HttpError(response.status, this.#mask(said || `cloud-api ${response.status}`), body);
  }

  /** Read a body within limits of size and time; resolves with "" if that fails. */
  async #drained(response, signal) {
    const nothing = () => ({ text: "" });
    const leaving = new AbortController();
    const read = readUpTo(response, LONGEST_ERROR, leaving.signal).catch(nothing);
    try {
      return (await within(read, ERROR_PATIENCE_MS, this.#clock, signal, nothing)).text;
    } finally {
      leaving.abort();
    }
  }

  #url(path) {
    return new URL(`${this.#base}${path}?${this.#query}`);
  }

  #mask(text) {
    return this.#secrets.reduce((masked, secret) => masked.replaceAll(secret, "***"), text);
  }

  #send(method, url, { headers = {}, body, signal } = {}) {
    const own = { Authorization: `Bearer ${this.#token}`, "X-Arkor-Client": CLIENT };
    const options = { method, headers: { ...own, ...headers }, body, signal, redirect: "manual" };
    return received(fetch(url, options), signal);
  }
}

/** Turn errors of `fetch` into a TransportError; an abort keeps its reason. */
export async function received(promise, signal) {
  try {
    return await promise;
  } catch (error) {
    if (signal?.aborted || error instanceof ProtocolError) throw error;
    throw new TransportError(`the connection failed: ${error.cause?.code ?? error.message}`, {
      cause: error,
    });
  }
}

/** Return the result of `promise`, or of `late` if `promise` has not settled after `ms`. */
export async function within(promise, ms, clock, signal, late) {
  if (!Number.isFinite(ms)) return promise;
  const over = new AbortController();
  const either = signal ? AbortSignal.any([over.signal, signal]) : over.signal;
  const timer = clock.sleep(ms, either, "idle");
  try {
    return await Promise.race([promise, timer.then(late)]);
  } finally {
    over.abort();
  }
}

async function readUpTo(response, limit, signal) {
  const chunks = [];
  let size = 0;
  const reader = response.body?.getReader();
  const leave = () => reader?.cancel().catch(() => {}); // This closes the connection too.
  signal?.addEventListener("abort", leave, { once: true });
  while (reader && size <= limit) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    size += value.length;
  }
  if (size > limit) leave();
  const text = new TextDecoder().decode(Buffer.concat(chunks).subarray(0, limit));
  return { text, whole: size <= limit };
}

/** Return whether an id can be one segment of a path; URLs drop `.` and `..` (ARK-CRE-8). */
function isJobId(id) {
  return typeof id === "string" && !["", ".", ".."].includes(id) && id.isWellFormed();
}

function jobPath(jobId) {
  if (!isJobId(jobId)) throw new ProtocolError("the id of the job cannot be used in a path");
  return `/v1/jobs/${encodeURIComponent(jobId)}`;
}

/** Return a cursor as a header value, with one character per byte of its UTF-8 (ARK-RES-10). */
function headerValue(cursor) {
  const bytes = Buffer.from(cursor, "utf8");
  // eslint-disable-next-line no-control-regex -- it looks for control characters
  const hopeless = /[\x00-\x08\x0a-\x1f\x7f]|^[ \t]|[ \t]$/.test(cursor);
  if (hopeless || bytes.length > MOST_CURSOR_BYTES) {
    throw new ProtocolError("cannot resume: the last event id cannot be sent in a header");
  }
  return bytes.toString("latin1");
}
