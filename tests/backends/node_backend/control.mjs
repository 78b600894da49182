// The control program of this backend (`arkor-control/1`): JSON lines on stdin and stdout.
//
//     node tests/backends/node_backend/control.mjs [--naive]

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";

import { Backend } from "./backend.mjs";

const naive = process.argv.includes("--naive");
const [org, other_org, project] = ["acme", "other", "demo"];
const [token, other_token] = [randomUUID(), randomUUID()];
const NOTE = "käfer 𝄞"; // not ASCII, so that a proxy that cuts characters is noticed
const backend = new Backend(new Map([[token, [org, project]], [other_token, [other_org, project]]]), naive);
const gates = new Map(); // of jobs: the next stream stops between its replay and its live phase
let server;
let port = 0;

backend.beforeLive = async (job) => {
  const gate = gates.get(job.id);
  if (gate === undefined || gate.isTaken) return;
  gate.isTaken = true;
  gate.arrive();
  await gate.opened;
};

async function listen() {
  server = backend.server();
  server.listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    server.listen(0, "127.0.0.1"); // another program took the port during the restart
    await once(server, "listening");
  }
  port = server.address().port;
}

function append(id, event) {
  const appended = known(id).append(event);
  if (appended === undefined) throw new Error(`${id}: the job is over`);
  return appended;
}

function known(id) {
  const job = backend.jobs.get(id);
  if (job === undefined) throw new Error(`${id}: no such job`);
  return job;
}

const words = {
  job: () => ({ id: backend.add([org, project], "controlled", {}).id }),
  async emit({ job, n, bytes = 0 }) {
    const ids = [];
    for (const note = NOTE + "x".repeat(bytes); ids.length < n; ) {
      const step = known(job).last;
      ids.push(append(job, { type: step ? "training.log" : "training.started", step, note }));
      await new Promise(setImmediate); // streams are served between events
    }
    return { ids };
  },
  finish: ({ job }) => ({ id: append(job, { type: "training.completed" }) }),
  fail: ({ job, error = NOTE }) => ({ id: append(job, { type: "training.failed", error }) }),
  async drop({ job, how }) {
    const sockets = [...backend.streams].filter(([, each]) => each.id === job).map(([each]) => each.socket);
    for (const socket of sockets) how === "rst" ? socket.resetAndDestroy() : socket.destroy();
    await Promise.all(sockets.map((each) => each.closed || once(each, "close")));
    return { dropped: sockets.length };
  },
  async rotate() {
    await backend.stop(server);
    await listen();
    return { base_url: `http://127.0.0.1:${port}` };
  },
  forget({ job, keep }) {
    const count = Math.max(0, known(job).log.length - keep);
    known(job).log.splice(0, count);
    known(job).forgotten += count;
  },
  hold({ job }) {
    const gate = {};
    gate.arrived = new Promise((resolve) => (gate.arrive = resolve));
    gate.opened = new Promise((resolve) => (gate.open = resolve));
    gates.set(known(job).id, gate);
  },
  revoke({ token }) {
    backend.tenants.delete(token);
    backend.wake();
  },
};
const commands = {
  ...words,
  hello: () => ({
    ...{ impl: naive ? "node-naive" : "node", version: "1", words: Object.keys(words), keep: 1_000_000 },
    ...{ base_url: `http://127.0.0.1:${port}`, token, other_token, org, project },
    ...{ other_org, other_project: project },
  }),
  held: ({ job }) => gates.get(job).arrived,
  release({ job }) {
    gates.get(job).open();
    gates.delete(job);
  },
};

async function answer({ id, do: word, ...asked }) {
  try {
    if (!(word in commands)) throw new Error(`${word}: no such command`);
    return { re: id, ok: (await commands[word](asked)) ?? {} };
  } catch (error) {
    return { re: id, error: { message: error.message } };
  }
}

const write = (reply) => process.stdout.write(`${JSON.stringify(reply)}\n`);
await listen();
for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  if (asked.do === "bye") {
    write({ re: asked.id, ok: {} });
    break;
  }
  answer(asked).then(write);
}
process.exitCode = 0;
await backend.stop(server);
process.exit();
