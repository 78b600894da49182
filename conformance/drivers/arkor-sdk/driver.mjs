// The driver of the real SDK, the npm package `arkor`. Set ARKOR_SDK to the path of another copy
// (…/dist/index.mjs), and ARKOR_SDK_PROFILE to judge it by another revision of the protocol.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { loaded, serve } from "../node/drive.mjs";
import { admitting } from "./models.mjs";

const { ARKOR_SDK: entry, ARKOR_SDK_PROFILE: profile = "2026-07" } = process.env;
const { setTimeout, clearTimeout } = globalThis;
const { random } = Math;
const home = mkdtempSync(join(tmpdir(), "arkor-sdk-"));
mkdirSync(join(home, ".arkor"));
const timing = ["clock.virtual", "rng", "config.backoff"];
const capabilities = [...timing, "abort", "cancel", "concurrent", "callbacks.async"];
const hello = { impl: "arkor (npm)", version: "as installed", profiles: [profile], capabilities };

async function open(desk) {
  const { base_url: baseUrl, token, org: orgSlug, project: projectSlug, rng } = desk.config;
  const credentials = { mode: "anon", token, orgSlug, anonymousId: "", arkorCloudApiUrl: baseUrl };
  const write = (name, it) => writeFileSync(join(home, ".arkor", name), JSON.stringify(it));
  write("credentials.json", credentials);
  write("state.json", { orgSlug, projectSlug, projectId: "kit" });
  // Node's own timers stay real, because fetch uses some; in real time all timers do.
  const isReal = () => !desk.virtual || new Error().stack.split("\n", 4)[3].includes("node:");
  globalThis.setTimeout = (effect, ms, ...given) =>
    isReal() ? setTimeout(effect, ms, ...given) : { end: desk.timer(ms, "reconnect", effect) };
  globalThis.clearTimeout = (timer) => (timer?.end ? timer.end() : clearTimeout(timer));
  Math.random = rng ? desk.random : random;
  const { initial_ms: reconnectDelayMs, max_ms: maxReconnectDelayMs } = desk.config;
  const context = { baseUrl, credentials, cwd: home, reconnectDelayMs, maxReconnectDelayMs };
  context.maxReconnectAttempts = desk.config.max_attempts;
  const hear = (name) => [`on${name}`, ({ job, ...data }) => desk.hear(name.toLowerCase(), data)];
  const callbacks = ["Started", "Log", "Checkpoint", "Completed", "Failed"].map(hear);
  const extra = { abortSignal: desk.signal, callbacks: Object.fromEntries(callbacks) };
  const input = { name: desk.config.name, ...desk.config.input, ...extra };
  const trainer = await admitting(input.model, () => sdk.createTrainer(input, context));
  const start = async () => ({ job_id: (await trainer.start()).jobId });
  return { start, wait: () => trainer.wait(), cancel: () => trainer.cancel() };
}

function explain(error) {
  if (/giving up/.test(error?.message)) return { kind: "gave_up" }; // This error has no class of its own.
  if (error instanceof sdk.CloudApiError) return { kind: "http", status: error.status };
  return { kind: error instanceof TypeError && error.cause ? "transport" : "other" };
}

process.env.HOME = home; // So that the SDK does not read or write the user's files.
process.on("exit", () => rmSync(home, { recursive: true }));
const load = () => import(entry ? pathToFileURL(resolve(entry)) : "arkor");
const otherwise = ", or set ARKOR_SDK to its dist/index.mjs";
const sdk = await loaded(load, import.meta.url, "arkor", otherwise);
await serve(hello, open, explain);
