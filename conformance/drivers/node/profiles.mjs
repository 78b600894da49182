// All differences between the revisions of the protocol. No other file checks the revision.

const RETRIED_BY_HARDENED = new Set([404, 408, 409, 425, 429]);

export const PROFILES = {
  "2026-05": {
    progress: "any frame",
    permanent: () => false,
    callbackErrorsReject: false,
    strict: false,
  },
  "2026-07": {
    progress: "a JSON object",
    permanent: (status) => [401, 403, 410, 426].includes(status),
    callbackErrorsReject: true,
    strict: false,
  },
  hardened: {
    progress: "a JSON object with a new id",
    // 204 tells a client to stop reconnecting; a 404 depends on the age of the job (ARK-ERR-5).
    permanent: (status) =>
      status === 204 || (status >= 400 && status < 500 && !RETRIED_BY_HARDENED.has(status)),
    callbackErrorsReject: true,
    // Only a 200 with the right type is a stream; delays that the server asks for are minimums;
    // creates have an idempotency key; delays after clean ends have jitter; a silent connection is
    // closed.
    strict: true,
  },
};
