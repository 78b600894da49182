// The delays between attempts, in milliseconds, and the budget of consecutive failures.

const MOST_DOUBLINGS = 1000; // Beyond this, 2 ** n overflows to Infinity (ARK-BAK-8).

export class Backoff {
  failures = 0;
  /** The stream's last `retry:` in milliseconds; applies until the next one (ARK-BAK-10). */
  streamFloor = 0;
  /** The last `Retry-After` in milliseconds; applies to one delay (ARK-BAK-11). */
  onceFloor = 0;

  constructor({ initialMs = 1000, maxMs = 60_000, maxAttempts = Infinity }, random, spreadAlways) {
    Object.assign(this, { initialMs, maxMs, maxAttempts, random, spreadAlways });
  }

  /** Count a failure, and return whether the budget allows another attempt (ARK-BUD-6). */
  fail() {
    this.failures += 1;
    return this.failures <= this.maxAttempts;
  }

  /** Return the delay after a failure. */
  afterFailure() {
    const doublings = Math.min(this.failures - 1, MOST_DOUBLINGS);
    return this.#raised(this.#spread(Math.min(this.initialMs * 2 ** doublings, this.maxMs)));
  }

  /** Return the delay after a clean end with progress, which is not a failure: the base delay. */
  afterCleanEnd() {
    const base = Math.min(this.initialMs, this.maxMs);
    return this.#raised(this.spreadAlways ? this.#spread(base) : base);
  }

  #spread(delay) {
    return this.#between(0.75 * delay, Math.min(1.25 * delay, this.maxMs));
  }

  #raised(delay) {
    const floor = Math.min(Math.max(this.streamFloor, this.onceFloor), this.maxMs);
    this.onceFloor = 0;
    // Not earlier than the server asked for, but spread, so that clients do not all come at once
    // (ARK-BAK-14).
    return delay < floor ? this.#between(floor, Math.min(1.25 * floor, this.maxMs)) : delay;
  }

  #between(low, high) {
    return low + (high - low) * this.random();
  }
}

/** Return `Retry-After` in milliseconds; 0 if missing or invalid (RFC 9110, 10.2.3). */
export function retryAfter(headers) {
  const value = headers.get("retry-after")?.trim() ?? "";
  if (/^[0-9]+$/.test(value)) return Number(value) * 1000;
  const [until, now] = [value, headers.get("date") ?? ""].map(httpDate);
  return Math.max(0, until - now) || 0;
}

function httpDate(text) {
  return /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/.test(text)
    ? Date.parse(text)
    : NaN;
}
