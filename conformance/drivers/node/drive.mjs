// The plumbing of a driver in JavaScript: `arkor-drive/1` in JSON lines, virtual time, one client
// per case. An adapter adds the client: it opens one for each case and classifies its errors.

import { fileURLToPath } from "node:url";

/** Thrown by a callback when the case asks for an error there. */
export class Provoked extends Error {}

/** The kit's side of an open case: time, random numbers, callbacks and abort, for an adapter. */
class Desk {
  #timers = new Map();
  #set = 0;
  #drawn = 0;
  #heard = {};
  #now = 0;
  #closed = false;
  #pending = new Set();
  #aborting = new AbortController();
  client = null;

  /** If `virtual` is false, time is real and sleeps are not announced. */
  constructor(config, virtual) {
    this.config = config;
    this.virtual = virtual;
    this.signal = this.#aborting.signal;
  }

  /** The time in milliseconds. Virtual time moves only when the kit ends a timer or advances it. */
  now = () => (this.virtual ? this.#now : performance.now());

  /** The next number of the case's `rng`, which repeats; a real random number if it has none. */
  random = () => {
    const { rng } = this.config;
    return rng?.length ? rng[this.#drawn++ % rng.length] : Math.random();
  };

  /** Set a timer that the kit will end; returns a function that cancels it. */
  timer(ms, purpose, effect) {
    if (!this.virtual) return this.#realTimer(ms, effect);
    const n = (this.#set += 1);
    const due = this.#now + ms;
    const end = (why) => this.#timers.delete(n) && this.#say({ event: "sleep_end", n, why });
    this.#say({ event: "sleep", n, ms, purpose });
    this.#timers.set(n, () => {
      end("woken");
      this.#now = Math.max(this.#now, due);
      effect();
    });
    return () => end(this.signal.aborted ? "aborted" : "cancelled");
  }

  #realTimer(ms, effect) {
    const timer = platform.setTimeout(effect, ms);
    return () => platform.clearTimeout(timer);
  }

  /** Sleep; rejects with the signal's reason if it is aborted. */
  sleep = (ms, signal, purpose = "reconnect") =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const cancel = this.timer(ms, purpose, () => {
        signal.removeEventListener("abort", abort);
        resolve();
      });
      const abort = () => reject((cancel(), signal.reason));
      signal.addEventListener("abort", abort, { once: true });
    });

  /** Report a callback, and do what the case asks for in it. */
  async hear(name, data) {
    const nth = (this.#heard[name] = (this.#heard[name] ?? 0) + 1);
    const due = (trigger) => trigger?.callback === name && (trigger.nth ?? 1) === nth;
    this.#say({ event: "callback", name, data });
    if (due(this.config.abort_in)) this.abort("aborted in a callback, as the case asks");
    if (due(this.config.cancel_in)) await this.client?.cancel();
    if (due(this.config.throw_in)) throw new Provoked(`thrown in the ${name} callback, as the case asks`);
  }

  abort(reason) {
    this.#aborting.abort(new Error(reason));
  }

  /** Register an operation; returns a function that answers it unless `close` has done so. */
  pending(say) {
    this.#pending.add(say);
    return (answer) => this.#pending.delete(say) && say(answer);
  }

  /** Abort the operations in progress. What the client does later no longer belongs to a case. */
  async close() {
    this.abort("the case is closed");
    await new Promise((resolve) => platform.setImmediate(resolve));
    this.#closed = true;
    for (const say of this.#pending) {
      say({ error: { kind: "aborted", message: "the case was closed" } });
    }
    this.#pending.clear();
  }

  /** Advance the clock by `ms` without ending timers; then end timer `n` if it is set. */
  wake(n, ms = 0) {
    this.#now += ms;
    this.#timers.get(n)?.();
  }

  #say(message) {
    if (!this.#closed) return emit(message);
    // The kit would record it in the trace of the next case.
    log(`the client was still active after its case was closed: ${message.event} ${message.name ?? ""}`);
  }
}

/** The platform's original timers; an adapter may replace the global ones. */
const platform = { setTimeout, clearTimeout, setImmediate };

const PROTOCOL = "arkor-drive/1";
const OPERATIONS = ["start", "wait", "cancel"];

/**
 * Return the module that `load` imports. If a package is missing, print the command to install it
 * (`npm install` with `words`, in the folder of the driver at `url`) and end the process.
 */
export async function loaded(load, url, words, otherwise = "") {
  return load().catch((error) => {
    if (error?.code !== "ERR_MODULE_NOT_FOUND") throw error;
    const [missing] = error.message.split(" imported from ");
    const folder = fileURLToPath(new URL(".", url));
    log(`${missing}; type: npm install ${words} --prefix '${folder}'${otherwise}`);
    process.exit(1);
  });
}

/**
 * Speak the protocol until `bye` or the end of input. `hello` is the answer to the command `hello`,
 * or a function that returns it or throws if the driver cannot work. `open(desk)` opens a client
 * and returns its {start, wait, cancel}, functions that return promises. `explain(error)` returns
 * the {kind, status?} of an error.
 */
export async function serve(hello, open, explain) {
  process.on("unhandledRejection", (error) => {
    log(`the client did not handle a rejection: ${error?.stack ?? told(error)}`);
  });
  process.stdout.on("error", () => process.exit(0)); // The kit has closed the pipe.
  // Standard output is reserved for the protocol, so what the client prints goes to standard error.
  console.log = console.info = console.debug = console.error;
  const service = new Service(hello, open, explain);
  let number = 0;
  for await (const line of lines(process.stdin)) {
    number += 1;
    if (line.trim() === "") continue;
    const command = parsed(line);
    if (command === null) {
      // The line is not shown because it may contain a token.
      log(`line ${number} of standard input is not a JSON object; send one object per line`);
      process.exit(2);
    }
    await service.take(command);
    if (command.do === "bye") break;
  }
  process.exit(0); // Do not wait for connections and timers that are still open.
}

/** Carries out the kit's commands in order. */
class Service {
  #hello;
  #open;
  #explain;
  #desk = null;
  #virtual = true;
  #problem = "no case is open; send 'open' first";

  constructor(hello, open, explain) {
    this.#hello = hello;
    this.#open = open;
    this.#explain = explain;
  }

  #commands = {
    hello: async ({ protocol = PROTOCOL, time = "virtual" }) => {
      if (protocol !== PROTOCOL) {
        throw new Error(`unknown protocol ${told(protocol)}; this driver speaks ${PROTOCOL}`);
      }
      this.#virtual = time === "virtual";
      const hello = await (typeof this.#hello === "function" ? this.#hello() : this.#hello);
      const isDeclared = (name) => this.#virtual || !name.startsWith("clock.");
      return { ...hello, capabilities: hello.capabilities.filter(isDeclared) };
    },
    open: async ({ config }) => {
      await this.#close();
      if (!isObject(config)) throw new Error("open has no 'config' object; send one");
      const desk = new Desk(config, this.#virtual);
      try {
        desk.client = await this.#open(desk);
        if (!desk.client) throw new Error("the adapter opened no client");
      } catch (error) {
        this.#problem = `no client: ${told(error)}`;
        log(this.#problem);
        await desk.close();
        throw new Error(this.#problem);
      }
      this.#desk = desk;
    },
    abort: async ({ reason }) => this.#opened().abort(String(reason)),
    wake: async ({ n, ms }) => this.#desk?.wake(n, ms),
    close: async () => this.#close(),
    bye: async () => {},
  };

  /** Carry out one command. Operations are not awaited, because the kit may send more commands. */
  async take({ id: re, do: name, ...details }) {
    const say = (answer) => re === undefined || re === null || emit({ re, ...answer });
    const answer = (promise, failed) =>
      promise.then(
        (ok) => say({ ok: ok ?? {} }),
        (error) => say({ error: failed(error) }),
      );
    const unsupported = (error) => ({ kind: "unsupported", message: told(error) });
    if (Object.hasOwn(this.#commands, name ?? "")) {
      await answer(this.#commands[name](details), unsupported);
    } else if (!OPERATIONS.includes(name)) {
      const known = [...Object.keys(this.#commands), ...OPERATIONS].join(", ");
      const wrong = name === undefined ? "the command has no 'do'" : `${told(name)} is not a command`;
      await answer(Promise.reject(new Error(`${wrong}; use one of ${known}`)), unsupported);
    } else if (this.#desk === null) {
      await answer(Promise.reject(new Error(`${name}: ${this.#problem}`)), unsupported);
    } else {
      const desk = this.#desk;
      const operation = async () => desk.client[name](); // Turns a synchronous throw into a rejection.
      const settle = desk.pending(say);
      operation().then(
        (ok) => settle({ ok: ok ?? {} }),
        (error) => settle({ error: this.#failure(desk, error) }),
      );
    }
  }

  #opened() {
    if (this.#desk === null) throw new Error(`abort: ${this.#problem}`);
    return this.#desk;
  }

  async #close() {
    const desk = this.#desk;
    this.#desk = null;
    this.#problem = "no case is open; send 'open' first";
    await desk?.close();
  }

  #failure(desk, error) {
    return { ...this.#kind(desk, error), message: told(error) };
  }

  #kind(desk, error) {
    if (desk.signal.aborted && error === desk.signal.reason) return { kind: "aborted" };
    if (error instanceof Provoked) return { kind: "callback" };
    try {
      return this.#explain(error);
    } catch (second) {
      log(`explaining an error failed: ${told(second)}`);
      return { kind: "other" };
    }
  }
}

/** The lines of a stream of bytes, split at LF only: `readline` also splits at U+2028. */
async function* lines(stream) {
  let partial = "";
  for await (const text of stream.setEncoding("utf8")) {
    const [first, ...rest] = text.split("\n");
    partial += first;
    for (const next of rest) {
      yield partial;
      partial = next;
    }
  }
  if (partial !== "") yield partial;
}

function parsed(line) {
  try {
    const value = JSON.parse(line);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Return the message of any thrown value. */
function told(error) {
  try {
    return String(error?.message ?? error);
  } catch {
    return "an error that cannot be printed";
  }
}

/**
 * Print one message immediately, so that the kit can read it before the client's next request.
 * Values that JSON cannot express are printed as strings, so that the kit sees them too.
 */
function emit(message) {
  let line;
  try {
    line = JSON.stringify(message, spoken);
  } catch (error) {
    // For example a cycle, or a getter that throws.
    const problem = `the client returned a value that cannot be printed: ${told(error)}`;
    const { re, ok, data, ...rest } = message;
    const failed = { re, error: { kind: "other", message: problem } };
    line = JSON.stringify(re === undefined ? { ...rest, data: problem } : failed);
  }
  process.stdout.write(`${line}\n`);
}

function spoken(_, value) {
  const isNumber = typeof value === "number" && Number.isFinite(value);
  return isNumber || !["number", "bigint"].includes(typeof value) ? value : String(value);
}

function log(text) {
  process.stderr.write(`driver: ${text}\n`);
}
