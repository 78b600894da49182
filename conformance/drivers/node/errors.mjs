// Everything that an operation of a trainer can reject with, apart from what the caller brought
// along: the reason of an abort, an exception of a callback.

export class ArkorError extends Error {
  name = this.constructor.name;
}

/** The backend answered, and the answer was no. */
export class HttpError extends ArkorError {
  constructor(status, message, body) {
    super(message);
    this.status = status;
    this.body = body;
  }
}

/** No answer, half an answer, or a connection that broke. */
export class TransportError extends ArkorError {}

/** An answer that makes no sense, or that cannot be worked with. */
export class ProtocolError extends ArkorError {}

/** The budget is spent. `failures` failed in a row, `cause` is the last of them. */
export class GaveUp extends ArkorError {
  constructor(failures, cause) {
    super(`the event stream failed ${failures} times in a row; giving up`, { cause });
    this.failures = failures;
  }
}
