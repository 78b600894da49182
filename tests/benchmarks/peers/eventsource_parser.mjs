// The worker of the npm package eventsource-parser, as worker.py is the worker of a Python parser.
// A TextDecoder decodes the bytes, as its documentation says. Nothing is installed: the package is
// searched for beside the kit's driver, in the current folder, and in NODE_PATH.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";

const driver = fileURLToPath(new URL("../../../conformance/drivers/eventsource/", import.meta.url));
const folders = [driver, `${process.env.PEERS_FROM ?? process.cwd()}/`];
const { resolve } = createRequire(import.meta.url);
const main = resolve("eventsource-parser", { paths: folders });
const manifest = main.replace(/eventsource-parser[\\/].*/, "eventsource-parser/package.json");
const { version } = JSON.parse(readFileSync(manifest, "utf8"));
const { createParser } = await import(pathToFileURL(main));

function read(chunks, onEvent) {
  const parser = createParser({ onEvent });
  const decoder = new TextDecoder();
  for (const chunk of chunks) parser.feed(decoder.decode(chunk, { stream: true }));
}

function rows(chunks, cursor) {
  const found = [];
  read(chunks, ({ event: type = "message", data, id }) => {
    cursor = id ?? cursor;
    found.push([type, data, cursor]);
  });
  return found;
}

let kept = { path: "", chunks: [] };
function load(path) {
  if (kept.path !== path) {
    const file = readFileSync(path);
    let at = file.indexOf(10) + 1;
    const sizes = JSON.parse(file.subarray(0, at).toString());
    kept = { path, chunks: sizes.map((size) => file.subarray(at, (at += size))) };
  }
  return kept.chunks;
}

function answer({ do: what, path, chunks, cursor }) {
  if (what === "rows") {
    return { rows: rows(chunks.split(",").map((each) => Buffer.from(each, "base64")), cursor) };
  }
  if (what === "count") return { events: rows(load(path), "").length };
  const stream = load(path);
  let size = 0; // use every value, so that none is optimised away
  const began = process.cpuUsage();
  read(stream, ({ event, data, id }) => (size += data.length + (event?.length ?? 0) + (id?.length ?? 0)));
  const { user, system } = process.cpuUsage(began);
  return { seconds: (user + system) / 1e6, size };
}

const tell = (object) => process.stdout.write(`${JSON.stringify(object)}\n`);
tell({ version, resumes: true, counts_memory: false }); // Node.js cannot
for await (const line of createInterface({ input: process.stdin })) {
  let told;
  try {
    told = answer(JSON.parse(line));
  } catch (error) {
    told = { error: `${error.name}: ${error.message}` };
  }
  tell(told);
}
