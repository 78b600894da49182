// The Node adapter with one fault, which BREAK names. The client itself is not changed; the fault is in
// the `fetch` that it uses.

const { fetch } = globalThis;
const isCreate = (url, options) => options.method === "POST" && url.pathname.endsWith("/jobs");
const BREAKS = {
  "forgets-the-cursor": (url, options) => {
    delete options.headers["Last-Event-ID"];
    return fetch(url, options);
  },
  "creates-twice": async (url, options) => {
    if (isCreate(url, options)) await (await fetch(url, options)).text();
    return fetch(url, options);
  },
  "reopens-without-token": (url, options) => {
    if (options.headers["Last-Event-ID"]) delete options.headers.Authorization;
    return fetch(url, options);
  },
};

globalThis.fetch = BREAKS[process.env.BREAK];
await import(process.argv[2]);
