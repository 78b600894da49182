// A driver on our plumbing whose client fails in places that no case provokes; see `config.fault`.

import { serve } from "../../../conformance/drivers/node/drive.mjs";

const HELLO = {
  impl: "clumsy",
  version: "0",
  profiles: ["2026-05"],
  capabilities: ["clock.virtual", "clock.advance", "abort", "cancel"],
};

class Inexplicable extends Error {}

const STARTS = {
  fails: () => Promise.reject(new Error("plain")),
  "fails-inexplicably": () => Promise.reject(new Inexplicable("odd")),
  "throws-at-once": () => {
    throw new Error("not even a promise");
  },
  "rejects-with-nothing": () => Promise.reject(undefined),
  "rejects-with-null-prototype": () => Promise.reject(Object.create(null)),
  "leaves-a-rejection-behind": async () => {
    Promise.reject(new Error("nothing handles this"));
  },
  prints: async () => console.log("hello, world"),
  "returns-a-cycle": async () => cycle(),
  "hears-nonsense": (desk) => desk.hear("log", { loss: NaN, step: -Infinity, epoch: 5n }),
  "hears-a-cycle": (desk) => desk.hear("log", cycle()),
  sleeps: (desk) => desk.sleep(1, desk.signal),
  "goes-on": async (desk) => {
    desk.signal.addEventListener("abort", () => setTimeout(() => desk.hear("log", {}), 0));
  },
};

function cycle() {
  const data = {};
  return Object.assign(data, { data });
}

function open(desk) {
  const { fault } = desk.config;
  if (fault === "does-not-open") throw new Error("unsupported model");
  const start = () => {
    const work = STARTS[fault]?.(desk);
    return fault === "returns-a-cycle" ? work : Promise.resolve(work).then(() => ({ job_id: "job-1" }));
  };
  return { start, wait: () => new Promise(() => {}), cancel: async () => {} };
}

function explain(error) {
  if (error instanceof Inexplicable) throw new TypeError("cannot explain");
  return { kind: "other" };
}

await serve(HELLO, open, explain);
