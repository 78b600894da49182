// A backend of the protocol on Node's `http` alone; `naive` leaves Node's defaults as they are.
//
// The jobs are in memory, so that a restart of the process would lose them. `server` can be called again
// and again for one set of jobs, which is how the control program restarts it.

import { randomUUID } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { createServer } from "node:http";
import { setTimeout } from "node:timers/promises";

const LARGEST = 2 ** 20; // bytes of a create request
const STEPS = 20; // of a job whose config does not say `maxSteps`
const STEP_MS = 100;
const LOOK_UP_MS = 2; // what a database would take to answer; what is lost meanwhile must show here
const KEEP_ALIVE_MS = 15_000; // many proxies cut what is silent for 60 s (ARK-SRV-23)
const GET = ["GET", "HEAD"];
const METHODS = { "": ["POST"], "/": GET, "/cancel": ["POST"], "/events/stream": GET };
const STATUS = { "training.completed": "completed", "training.failed": "failed" };

class Refusal extends Error {
  constructor(status, message, headers = {}) {
    super(message);
    Object.assign(this, { status, headers });
  }
}

class Job extends EventEmitter {
  id = `job-${randomUUID()}`;
  status = "queued";
  createdAt = now();
  log = []; // of {type, data}; the event `n` is log[n - 1 - forgotten]
  forgotten = 0;

  constructor(where, name, config) {
    super();
    Object.assign(this, { where, name, config });
    this.setMaxListeners(0); // one for each follower
  }

  get last() {
    return this.forgotten + this.log.length;
  }

  get isOver() {
    return this.completedAt !== undefined;
  }

  // Adds an event and returns its id; undefined if the job is over (ARK-SRV-45, 51).
  append(event) {
    if (this.isOver) return undefined;
    this.startedAt ??= now();
    this.log.push({ type: event.type, data: JSON.stringify(event) });
    this.error = event.error;
    this.become(STATUS[event.type] ?? "running", event.type in STATUS);
    return this.idOf(this.last);
  }

  become(status, isOver) {
    this.status = status;
    if (isOver) this.completedAt = now();
    this.emit("change");
  }

  idOf(number) {
    return `${this.id}.${number}`; // a cursor of another job is unknown here (ARK-SRV-41)
  }

  // Returns the number of the event that a cursor names (ARK-SRV-39, 40).
  position(cursor) {
    const [, id, number] = /^(.+)\.([1-9][0-9]{0,14})$/.exec(cursor ?? "") ?? [];
    const position = cursor ? (id === this.id ? Number(number) : NaN) : 0;
    if (position >= this.forgotten && position <= this.last) return position;
    throw new Refusal(410, "the events after this cursor are not kept");
  }

  toJSON() {
    const { id, where, name, status, config, error, createdAt, startedAt, completedAt } = this;
    const [orgId, projectId] = where;
    return { id, orgId, projectId, name, status, config, error, createdAt, startedAt, completedAt };
  }
}

const now = () => new Date().toISOString();

export class Backend {
  jobs = new Map();
  keys = new Map(); // of idempotency keys, each with the job and the body that it came with
  beforeLive = async () => {}; // called by each stream between replay and live, for tests
  streams = new Map(); // of open responses, each with its job

  // `tenants` maps each token to its [organisation, project].
  constructor(tenants, naive = false) {
    Object.assign(this, { tenants, naive });
  }

  server() {
    const server = createServer(async (request, response) => {
      try {
        await this.#answer(request, response);
      } catch (error) {
        const { status, headers } = error instanceof Refusal ? error : { status: 500, headers: {} };
        if (response.headersSent) response.destroy();
        else send(response, status, { error: error.message }, headers);
      }
    });
    // Otherwise a client that half-closes its connection after the request gets no answer (ARK-SRV-59).
    if (!this.naive) server.httpAllowHalfOpen = true;
    return server;
  }

  async #answer(request, response) {
    const { route, id, query } = routed(request.url);
    if (!(route in METHODS)) throw new Refusal(404, "no such route");
    const where = this.#checked(request, query);
    await setTimeout(LOOK_UP_MS);
    const job = route && this.#job(id, where);
    const allow = METHODS[route];
    if (!allow.includes(request.method)) throw new Refusal(405, `use ${allow}`, { Allow: allow.join(", ") });
    if (!route) return send(response, 201, { job: this.#create(where, request, await body(request)) });
    if (route === "/events/stream") return this.#stream(request, response, job);
    if (route === "/cancel") {
      if (job.isOver) throw new Refusal(409, `the job is ${job.status}`); // and stays so (ARK-SRV-50)
      job.become("cancelled", true);
    }
    return send(response, 200, { job });
  }

  // Nothing waits between the look at the key and the note of it, so that of two requests that overlap
  // one finds the job of the other (ARK-SRV-6). With a database this has to be a unique key.
  #create(where, request, body) {
    const { name, config, text } = wanted(body);
    const key = request.headers["idempotency-key"];
    const known = key && this.keys.get(`${where} ${key}`);
    if (known && known.text !== text) throw new Refusal(422, "this key was used for another job");
    if (known) return known.job;
    const job = this.add(where, name, config);
    if (key) this.keys.set(`${where} ${key}`, { job, text });
    train(job);
    return job;
  }

  add(where, name, config) {
    const job = new Job(where, name, config);
    this.jobs.set(job.id, job);
    return job;
  }

  #job(id, [org, project]) {
    const job = this.jobs.get(id);
    if (job?.where[0] === org && job.where[1] === project) return job;
    throw new Refusal(404, "no such job");
  }

  // Every route checks these, so a cursor permits nothing (ARK-SRV-13 to 15).
  #checked(request, query) {
    const token = tokenOf(request);
    if (!this.tenants.has(token)) {
      throw new Refusal(401, "unknown token", { "WWW-Authenticate": "Bearer" }); // (ARK-SRV-12)
    }
    const where = this.tenants.get(token);
    if (query.get("orgSlug") === where[0] && query.get("projectSlug") === where[1]) return where;
    throw new Refusal(403, "this token has no such organisation and project");
  }

  async #stream(request, response, job) {
    let position = job.position(request.headers["last-event-id"]);
    response.writeHead(200, {
      "Content-Type": "text/event-stream",
      "Cache-Control": "no-store, no-transform",
      ...(this.naive ? {} : { "X-Accel-Buffering": "no" }), // nginx would hold the events (ARK-SRV-22)
    });
    // Node sends nothing for a HEAD until the response ends (ARK-SRV-57).
    if (request.method === "HEAD" && !this.naive) return response.end();
    this.streams.set(response, job);
    const leave = () => response.destroy();
    let timer;
    if (!this.naive) {
      response.write(": open\n\n"); // the head waits for the first write (ARK-SRV-20, 21)
      timer = setInterval(() => response.write(": keep-alive\n\n"), KEEP_ALIVE_MS);
      request.socket.once("end", leave); // of a stream, even a half-close is leaving
      if (request.socket.readableEnded) leave();
    }
    response.once("close", () => {
      clearInterval(timer);
      request.socket.off("end", leave);
      this.streams.delete(response);
      job.emit("change");
    });
    return this.#follow(request, response, job, position);
  }

  // Replay and live are one loop over the log, so that nothing gets lost between them (ARK-SRV-35).
  async #follow(request, response, job, position) {
    const goesOn = () => this.streams.has(response) && this.tenants.has(tokenOf(request));
    let [type, isLive] = ["", false];
    while (goesOn()) {
      if (position < job.forgotten) return response.end(); // the next open says so
      if (position < job.last) {
        const event = job.log[position - job.forgotten];
        type = event.type;
        position += 1;
        const frame = `id: ${job.idOf(position)}\nevent: ${type}\ndata: ${event.data}\n\n`;
        // Node would keep in memory all that a client does not read.
        if (!response.write(frame) && !this.naive) await drained(response); // (ARK-SRV-52)
      } else if (!isLive) {
        await this.beforeLive(job);
        isLive = true;
      } else if (job.isOver) {
        // Cancelled, or all was read before (ARK-SRV-42, 49).
        return response.end(type in STATUS ? "" : "event: end\ndata: {}\n\n");
      } else {
        await once(job, "change");
      }
    }
    response.end();
  }

  // Ends all streams, each with its last chunk (ARK-SRV-32), then the server. What is still open after a
  // second is cut: `close()` alone would wait for a client that does not read.
  async stop(server) {
    if (!this.naive) {
      this.streams.clear();
      this.wake();
    }
    const closed = new Promise((resolve) => server.close(resolve));
    await Promise.race([closed, setTimeout(this.naive ? 0 : 1000, undefined, { ref: false })]);
    server.closeAllConnections();
    await closed;
  }

  wake() {
    for (const job of this.jobs.values()) job.emit("change");
  }
}

// Pretends to train; no client has to follow (ARK-SRV-2).
async function train(job) {
  const { maxSteps } = job.config;
  const steps = Number.isInteger(maxSteps) && maxSteps > 0 && maxSteps < 100_000 ? maxSteps : STEPS;
  for (let step = 0; step <= steps + 1; step++) {
    await setTimeout(STEP_MS);
    if (job.isOver) return;
    if (step === 0) job.append({ type: "training.started", jobId: job.id });
    else if (step <= steps) job.append({ type: "training.log", jobId: job.id, step, loss: 1 / step });
    else job.append({ type: "training.completed", jobId: job.id });
  }
}

function drained(response) {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.on("drain", done).on("close", done);
  });
}

function tokenOf(request) {
  return /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? "")?.[1];
}

// Takes a target apart: the route is what comes after the id, in which `%2F` is not a slash (ARK-SRV-58). An
// absolute-form target is a URL of its own (ARK-SRV-55).
function routed(target) {
  try {
    const { pathname, searchParams: query } = new URL(target, "http://backend");
    const [, v1, jobs, id, ...rest] = pathname.split("/").map(decodeURIComponent);
    if (v1 !== "v1" || jobs !== "jobs") return {};
    return { id, query, route: id === undefined ? "" : `/${rest.map(encodeURIComponent).join("/")}` };
  } catch {
    return {}; // not a URL, or a bad percent-encoding
  }
}

async function body(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > LARGEST) throw new Refusal(413, `the request is larger than ${LARGEST} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

// Returns the name and the config, which every later answer can carry.
function wanted(body) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
    const { name, config } = JSON.parse(text);
    const isObject = typeof config === "object" && config !== null && !Array.isArray(config);
    if (typeof name === "string" && name && isObject) {
      return { name, config, text: JSON.stringify({ name, config }, wellFormed) };
    }
  } catch {
    // not UTF-8, not JSON, a lone surrogate, too many levels
  }
  throw new Refusal(400, "the body must be a JSON object with 'name' and 'config'");
}

function wellFormed(key, value) {
  if (key.isWellFormed() && (typeof value !== "string" || value.isWellFormed())) return value;
  throw new RangeError("a lone surrogate");
}

function send(response, status, value, headers = {}) {
  const text = JSON.stringify(value);
  const length = Buffer.byteLength(text);
  response.writeHead(status, { "Content-Type": "application/json", "Content-Length": length, ...headers });
  response.end(text);
}
