"use strict";
// Shared by all views of the page. Text from the client is inserted as text, never as markup.
const run = JSON.parse(document.getElementById("run").textContent);
const RANKS = ["error", "fail", "inconclusive", "warn", "known-failure", "pass", "n/a"];
const SIGNS = {
  error: "!",
  fail: "✕",
  inconclusive: "?",
  warn: "△",
  "known-failure": "≈",
  pass: "✓",
  "n/a": "–",
};
const TROUBLE = ["error", "fail", "inconclusive"];
const SOURCES = ["published", "interface", "standard", "proposal", "observed"];
const byId = (id) => document.getElementById(id);
const look = (verdict) => (verdict === "n/a" ? "na" : verdict);

for (const result of run.results) {
  result.why = run.texts[result.why];
  result.requires = result.requires.map((place) => run.texts[place]);
  result.name = `${result.case}@${result.profile}`;
}
const profiles = run.profiles.map((profile) => profile.name);
const cases = new Map();
for (const result of run.results)
  cases.set(result.case, [...(cases.get(result.case) ?? []), result]);
const unique = (list) => [...new Set(list)];
const plural = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;
const grouped = (results, key) => {
  const found = new Map();
  for (const each of results) found.set(key(each), [...(found.get(key(each)) ?? []), each]);
  return [...found];
};

const worst = (verdicts) => RANKS.find((verdict) => verdicts.includes(verdict)) ?? "n/a";
const cited = (result) => result.findings.flatMap((finding) => finding.requires);
// In a run against a backend, the kit acts as the client: it sends the requests.
const ofBackend = run.judged === "backend";
// The last profile has the most backend rules, so its cases have every family, in order.
const families = unique(
  (ofBackend ? [...run.results].reverse() : run.results).map((result) => result.family),
);
if (ofBackend) families.reverse();
const broken = run.results.some((result) => TROUBLE.includes(result.verdict));

// A result is listed under the rules that its findings cite, or else under all rules of its case.
// The kit decides how each rule stands under a profile; the page only shows it.
const STANDINGS = { "known to be broken": "known-failure", holds: "pass" };
const onRule = new Map(Object.keys(run.requirements).map((id) => [id, []]));
const about = (result) =>
  result.findings.some((each) => each.requires.length) ? unique(cited(result)) : result.requires;
for (const result of run.results) for (const id of about(result)) onRule.get(id)?.push(result);
const sourceOf = (id) => run.requirements[id]?.source.split(":")[0] ?? "";

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false)
      node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}
const text = (tag, kind, ...said) => make(tag, kind ? { class: kind } : {}, ...said);
const tag = (verdict, said = verdict) =>
  make(
    "span",
    { class: `tag ${look(verdict)}` },
    make("span", { "aria-hidden": "true" }, SIGNS[verdict]),
    said,
  );

// The events of a trace; `whose` is a result or its reference.
const traceOf = (whose) =>
  whose.trace.map(([n, ms, place]) => {
    const [who, to, kind, text] = run.events[place];
    return { n, ms, who, to, kind, text, detail: whose.details[n] };
  });

// The state of the page is only in the fragment, so a reload keeps it and a link can be shared.
const state = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
function link(changes, keep = true) {
  const next = { ...(keep ? state() : {}), ...changes };
  return `#${new URLSearchParams(Object.entries(next).filter(([, value]) => value))}`;
}
const toCase = (result) => link({ case: result.name });
const toCases = (changes) => link({ view: "cases", ...changes }, false);

// Text in which backticks mark names, as in the specification.
const prose = (said) =>
  said.split("`").map((part, place) => (place % 2 ? make("code", {}, part) : part));

function rerun(command) {
  const copy = make(
    "button",
    {
      type: "button",
      onclick: async () => {
        try {
          await navigator.clipboard.writeText(command);
          copy.textContent = "Copied";
        } catch {
          getSelection().selectAllChildren(code);
          copy.textContent = "Selected";
        }
      },
    },
    "Copy",
  );
  const code = make("code", {}, command);
  return make("div", { class: "rerun" }, code, copy);
}
const ruleLink = (id) =>
  make(
    "a",
    {
      href: link({ view: "requirements", rule: id }, false),
      class: "mono id",
      title: run.requirements[id]?.text,
    },
    id,
  );
const published = (id) =>
  Object.hasOwn(run.published, id)
    ? make(
        "a",
        {
          class: "published small",
          href: run.published[id],
          target: "_blank",
          rel: "noopener noreferrer",
          "aria-label": `${id} in the specification`,
        },
        "specification ",
        make("span", { "aria-hidden": "true" }, "↗"),
      )
    : null;

function ruleList(ids) {
  return make(
    "ul",
    { class: "rulelist" },
    ...ids.map((id) => {
      const rule = run.requirements[id];
      return make(
        "li",
        {},
        ruleLink(id),
        " ",
        rule ? text("span", "level", rule.level) : null,
        " ",
        ...prose(rule ? rule.text : ""),
        " ",
        published(id),
      );
    }),
  );
}

function versus(finding) {
  return make(
    "dl",
    { class: "versus" },
    text("dt", "", "Expected"),
    text("dd", "", finding.expected),
    text("dt", "", "Actual"),
    text("dd", "actual", finding.actual),
  );
}
