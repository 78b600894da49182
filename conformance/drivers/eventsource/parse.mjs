// Connects the npm package `eventsource-parser` to `arkor-conformance parser`. A TextDecoder
// decodes the bytes, as the package's documentation recommends. The cursor is the last `id` of an
// event.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { loaded } from "../node/drive.mjs";

const load = () => import("eventsource-parser");
const { createParser } = await loaded(load, import.meta.url, "--no-package-lock");
const installed = new URL("node_modules/eventsource-parser/package.json", import.meta.url);
const { version } = JSON.parse(readFileSync(installed, "utf8"));
const reports = ["last_event_id", "resume", "retry", "chunk"];

function parse({ chunks, last_event_id: cursor = "" }) {
  const found = { events: [], last_event_id: cursor, retry: null };
  let number = 0;
  const parser = createParser({
    onEvent: ({ event: type = "message", data, id }) => {
      found.last_event_id = id ?? found.last_event_id;
      found.events.push({ type, data, last_event_id: found.last_event_id, chunk: number });
    },
    onRetry: (ms) => (found.retry = Math.min(ms, Number.MAX_SAFE_INTEGER)), // JSON has no Infinity
  });
  const decoder = new TextDecoder();
  for (const chunk of chunks) {
    parser.feed(decoder.decode(Buffer.from(chunk, "base64"), { stream: true }));
    number += 1;
  }
  return found;
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  const hello = { impl: "eventsource-parser (npm)", version, reports };
  console.log(JSON.stringify(command.do === "hello" ? hello : parse(command)));
}
