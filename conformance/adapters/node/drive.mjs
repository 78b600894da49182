// The plumbing of a driver in JavaScript: `arkor-drive/1` in JSON lines, virtual time, one client
// per case. It knows no client: an adapter opens one for a case and names the kinds of its errors.

import { createInterface } from "node:readline";

/** What a callback throws when the case says so. */
export class Provoked extends Error {}

/** What an adapter needs of the kit while a case is open: time, chance, an ear, the abort. */
class Desk {
  #timers = new Map();
  #set = 0;
  #rolled = 0;
  #heard = {};
  #now = 0;
  #aborting = new AbortController();
  client = null;

  constructor(config) {
    this.config = config;
    this.signal = this.#aborting.signal;
  }

  /** Virtual time in milliseconds: it moves only when the kit ends a timer. */
  now = () => this.#now;

  /** The next of the case's rolls, in turn and repeated; real chance where the case has none. */
  random = () => {
    const { rng } = this.config;
    return rng?.length ? rng[this.#rolled++ % rng.length] : Math.random();
  };

  /** Set a timer that the kit will end; returns what ends it without effect. */
  timer(ms, purpose, effect) {
    const n = (this.#set += 1);
    const due = this.#now + ms;
    const end = (why) => this.#timers.delete(n) && emit({ event: "sleep_end", n, why });
    emit({ event: "sleep", n, ms, purpose });
    this.#timers.set(n, () => {
      end("woken");
      this.#now = Math.max(this.#now, due);
      effect();
    });
    return () => end(this.signal.aborted ? "aborted" : "cancelled");
  }

  /** Sleep; rejects with the signal's reason. */
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

  /** Report a callback, and do in it what the case says. */
  async hear(name, data) {
    const nth = (this.#heard[name] = (this.#heard[name] ?? 0) + 1);
    const due = (trigger) => trigger?.callback === name && (trigger.nth ?? 1) === nth;
    emit({ event: "callback", name, data });
    if (due(this.config.abort_in)) this.abort("the case aborts in a callback");
    if (due(this.config.cancel_in)) await this.client.cancel();
    if (due(this.config.throw_in)) throw new Provoked(`the case throws in ${name}`);
  }

  abort(reason) {
    this.#aborting.abort(new Error(reason));
  }

  /** Move the clock by `ms`, which ends no timer by itself, and end timer `n`, if it is set. */
  wake(n, ms = 0) {
    this.#now += ms;
    this.#timers.get(n)?.();
  }
}

/**
 * Speak the protocol until `bye` or the end of input. `hello` is the answer to it, or returns it,
 * or throws what keeps the driver from working. `open(desk)` returns {start, wait, cancel} of a new
 * client, each returning a promise; `explain(error)` returns its {kind, status?}.
 */
export async function serve(hello, open, explain) {
  let desk = null;
  const failure = (error) => ({ ...kindOf(error), message: String(error?.message ?? error) });
  const kindOf = (error) => {
    if (desk.signal.aborted && error === desk.signal.reason) return { kind: "aborted" };
    return error instanceof Provoked ? { kind: "callback" } : explain(error);
  };
  const commands = {
    hello: async () => (typeof hello === "function" ? hello() : hello),
    open: async ({ config }) => {
      desk = new Desk(config);
      desk.client = await open(desk);
    },
    abort: async ({ reason }) => desk.abort(reason),
    wake: async ({ n, ms }) => desk?.wake(n, ms),
    close: async () => desk.abort("the case is closed"),
    bye: async () => {},
  };
  for await (const line of createInterface({ input: process.stdin })) {
    const { id: re, do: name, ...details } = JSON.parse(line);
    if (Object.hasOwn(commands, name)) {
      const answer = await commands[name](details).then(
        (ok) => ({ ok: ok ?? {} }),
        (error) => ({ error: { kind: "unsupported", message: error.message } }),
      );
      if (re !== undefined) emit({ re, ...answer });
      if (name === "bye") break;
    } else {
      // Not awaited: the next command may come while this one is under way.
      desk.client[name]().then(
        (ok) => emit({ re, ok: ok ?? {} }),
        (error) => emit({ re, error: failure(error) }),
      );
    }
  }
  process.exit(0); // Whatever is still open belongs to nobody any more.
}

/** Print one message, at once: what is said before a request must be read before it. */
function emit(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
