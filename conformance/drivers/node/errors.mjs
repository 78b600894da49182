// The errors with which an operation of a trainer can reject, apart from those that come from the
// caller: the reason of an abort, an exception of a callback.

export class ArkorError extends Error {
  name = this.constructor.name;
}

/** The backend refused a request. */
export class HttpError extends ArkorError {
  constructor(status, message, body) {
    super(message);
    this.status = status;
    this.body = body;
  }
}

/** There was no answer, the answer was incomplete, or the connection broke. */
export class TransportError extends ArkorError {}

/** The answer makes no sense or cannot be used. */
export class ProtocolError extends ArkorError {}

/** The budget is exhausted: `failures` opens failed in a row, the last one with `cause`. */
export class GaveUp extends ArkorError {
  constructor(failures, cause) {
    super(`the event stream failed ${failures} times in a row; giving up`, { cause });
    this.failures = failures;
  }
}
