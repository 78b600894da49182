// The errors with which an operation of a trainer can reject. It can also reject with the caller's
// own: the reason of an abort, or an exception of a callback.

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

/** There was no response, the response was incomplete, or the connection broke. */
export class TransportError extends ArkorError {}

/** The response makes no sense or cannot be used. */
export class ProtocolError extends ArkorError {}

/** The budget is exhausted: `failures` attempts failed in a row, the last of them with `cause`. */
export class GaveUp extends ArkorError {
  constructor(failures, cause) {
    super(`the event stream failed ${failures} times in a row; giving up`, { cause });
    this.failures = failures;
  }
}
