"use strict";
// The page of a run. Everything that a client said is put in as text, never as markup.
const run = JSON.parse(document.getElementById("run").textContent);
const RANKS = ["error", "fail", "inconclusive", "warn", "known-failure", "pass", "n/a"];
const SIGNS = { error: "!", fail: "✕", inconclusive: "?", warn: "△", "known-failure": "≈", pass: "✓", "n/a": "–" };
const TROUBLE = ["error", "fail", "inconclusive"];
const MOST_TROUBLE = 30;
const byId = (id) => document.getElementById(id);
const look = (verdict) => (verdict === "n/a" ? "na" : verdict);

for (const result of run.results) {
  result.why = run.texts[result.why];
  result.requires = result.requires.map((place) => run.texts[place]);
  result.name = `${result.case}@${result.profile}`;
}
const profiles = run.profiles.map((profile) => profile.name);
const families = [...new Set(run.results.map((result) => result.family))];
const cases = new Map();
for (const result of run.results) cases.set(result.case, [...(cases.get(result.case) ?? []), result]);
const worst = (verdicts) => RANKS.find((verdict) => verdicts.includes(verdict)) ?? "n/a";
const cited = (result) => result.findings.flatMap((finding) => finding.requires);
const broken = run.results.some((result) => TROUBLE.includes(result.verdict));

// A rule is broken by the results whose findings cite it; one that is not cited there is not blamed.
const onRule = new Map(Object.keys(run.requirements).map((id) => [id, []]));
for (const result of run.results) {
  const blamed = cited(result), about = blamed.length ? [...new Set(blamed)] : result.requires;
  for (const id of about) onRule.get(id)?.push(result);
}

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}
const text = (tag, kind, ...said) => make(tag, kind ? { class: kind } : {}, ...said);
const tag = (verdict, said = verdict) => make("span", { class: `tag ${look(verdict)}` }, make("span", { "aria-hidden": "true" }, SIGNS[verdict]), said);

const traceOf = (result) => result.trace.map(([n, ms, place]) => {
  const [who, to, kind, text] = run.events[place];
  return { n, ms, who, to, kind, text, detail: result.details[n] };
});

// Where the reader is stands in the fragment alone: it survives a reload and can be sent to others.
const state = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
function link(changes, keep = true) {
  const next = { ...(keep ? state() : {}), ...changes };
  return `#${new URLSearchParams(Object.entries(next).filter(([, value]) => value))}`;
}
const toCase = (result) => link({ case: result.name, view: "", rule: "" });
const toCases = (changes) => link({ view: "cases", ...changes }, false);

// The specification writes names between backticks.
const prose = (said) => said.split("`").map((part, place) => (place % 2 ? make("code", {}, part) : part));

function rerun(command) {
  const copy = make("button", { type: "button", onclick: async () => {
    try { await navigator.clipboard.writeText(command); copy.textContent = "Copied"; } catch { getSelection().selectAllChildren(code); copy.textContent = "Selected"; }
  } }, "Copy");
  const code = make("code", {}, command);
  return make("div", { class: "rerun" }, code, copy);
}
const ruleLink = (id) => make("a", { href: link({ view: "requirements", rule: id }, false), class: "mono" }, id);

function ruleList(ids) {
  return make("ul", { class: "rulelist" }, ...ids.map((id) => {
    const rule = run.requirements[id];
    return make("li", {}, ruleLink(id), " ", rule ? text("span", "level", rule.level) : null, " ", ...prose(rule ? rule.text : ""));
  }));
}

function versus(finding) {
  return make("dl", { class: "versus" }, text("dt", "", "Expected"), text("dd", "", finding.expected), text("dt", "", "Actual"), text("dd", "actual", finding.actual));
}

function card(profile) {
  const kind = profile.verdict === "conforms" ? "pass" : profile.verdict.startsWith("conforms") ? "warn" : profile.verdict === "nothing ran" ? "na" : "fail";
  const counts = RANKS.filter((verdict) => profile.counts[verdict]).reverse();
  return make("section", { class: `sheet card ${kind}` }, text("div", "name", `Profile ${profile.name}`), make("h2", { class: "verdict" }, profile.verdict[0].toUpperCase() + profile.verdict.slice(1)),
    make("div", { class: "meter", "aria-hidden": "true" }, ...counts.map((verdict) => make("span", { class: look(verdict), style: `flex:${profile.counts[verdict]}` }))),
    make("div", { class: "counts" }, ...counts.map((verdict) => make("a", { class: look(verdict), href: toCases({ profile: profile.name, verdict }) }, `${profile.counts[verdict]} ${verdict}`))));
}

function matrix() {
  const cell = (family, profile) => {
    const own = run.results.filter((result) => result.family === family && result.profile === profile);
    if (!own.length) return make("td", {}, make("span", { class: "none" }, "–"));
    const verdict = worst(own.map((result) => result.verdict)), good = own.filter((result) => result.verdict === "pass").length;
    const said = good === own.length ? `${good}` : `${good} of ${own.length}`;
    return make("td", {}, make("a", { class: look(verdict), href: toCases({ family, profile }), "aria-label": `${family}, ${profile}: ${verdict}, ${good} of ${own.length} pass` }, make("span", { "aria-hidden": "true", style: "padding:0;background:none" }, SIGNS[verdict]), said));
  };
  return make("div", { class: "sheet scroll" }, make("table", { class: "matrix" }, make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Family"), ...profiles.map((name) => make("th", { scope: "col" }, name)))),
    make("tbody", {}, ...families.map((family) => make("tr", {}, make("th", { scope: "row" }, make("a", { href: toCases({ family }) }, family)), ...profiles.map((profile) => cell(family, profile)))))));
}

// The same finding under several profiles, or of several variants of a case, is one trouble.
function troubles() {
  const found = new Map();
  for (const result of run.results.filter((each) => TROUBLE.includes(each.verdict))) {
    const [first] = result.findings, key = [result.case.split("[")[0], first?.assertion, first?.expected, first?.actual].join("\n");
    found.set(key, [...(found.get(key) ?? []), result]);
  }
  return [...found.values()];
}

function trouble(results) {
  const [result] = results, [finding] = result.findings, rules = [...new Set(finding?.requires.length ? finding.requires : result.requires)];
  const names = [...new Set(results.map((each) => each.case))], first = (name) => results.find((each) => each.case === name);
  const others = names.length > 1 ? make("details", { style: "margin-top:12px" }, make("summary", {}, `and ${names.length - 1} more of its kind`), make("ul", {}, ...names.slice(1).map((name) => make("li", {}, make("a", { class: "mono", href: toCase(first(name)) }, name))))) : null;
  return make("article", { class: "trouble" }, make("div", { class: "head" }, tag(result.verdict), make("a", { class: "mono", href: toCase(result) }, result.case), text("span", "soft small", [...new Set(results.map((each) => each.profile))].join(", "))),
    text("p", "soft", result.why), ruleList(rules), finding ? versus(finding) : text("p", "", result.reason), rerun(result.rerun), others);
}

// What the start-up probe found out about bodies that are cut off.
function stack() {
  const { why, ...found } = run.stack ?? {};
  const said = Object.entries(found).map(([word, sight]) => `${word.replace("truncation.", "cut ")}: ${sight}`);
  return said.length ? [text("dt", "", "HTTP stack"), text("dd", "", said.join("; ") + (why ? ` (${why})` : ""))] : [];
}

function overview() {
  const { client } = run, found = troubles();
  const facts = [`${run.results.length} verdicts on ${cases.size} ${cases.size === 1 ? "case" : "cases"} in ${run.seconds.toFixed(1)} s`, client.command.join(" ") || "the reference driver"];
  const parts = [make("h1", {}, `${client.implementation} ${client.version}`), make("p", { class: "soft", style: "margin-top:8px" }, facts[0], " · ", make("code", {}, facts[1])), make("div", { class: "cards" }, ...run.profiles.map(card))];
  if (found.length) {
    parts.push(make("h2", {}, `What is broken`), make("div", { class: "sheet" }, ...found.slice(0, MOST_TROUBLE).map(trouble)));
    if (found.length > MOST_TROUBLE) parts.push(make("p", { style: "margin-top:14px" }, `The first ${MOST_TROUBLE} of ${found.length} are shown. `, make("a", { href: toCases({ verdict: "fail" }) }, "See all that fail")));
  }
  const warned = run.results.filter((result) => result.verdict === "warn").length;
  if (warned) parts.push(make("p", { style: "margin-top:18px" }, make("a", { href: toCases({ verdict: "warn" }) }, `${warned} warnings`), ": a SHOULD does not hold."));
  parts.push(make("h2", {}, "Profiles and families"), matrix());
  parts.push(make("h2", {}, "The client"), make("dl", { class: "versus" }, text("dt", "", "Profiles"), text("dd", "", client.profiles.join(", ")), text("dt", "", "Capabilities"), text("dd", "", client.capabilities.join(", ") || "none"), text("dt", "", "Judged in"), text("dd", "", run.time.said), ...stack()));
  const gaps = Object.entries(client.declared_gaps);
  if (gaps.length) parts.push(make("h3", {}, "Gaps that it declares"), make("dl", { class: "versus" }, ...gaps.flatMap(([name, why]) => [text("dt", "mono", name), text("dd", "", why)])));
  return parts;
}

function rule([id, requirement]) {
  const results = onRule.get(id), names = [...new Set(results.map((result) => result.case))];
  const marks = profiles.filter((profile) => requirement.profiles.includes(profile)).map((profile) => {
    const own = results.filter((result) => result.profile === profile);
    return own.length ? tag(worst(own.map((result) => result.verdict)), profile) : make("span", { class: "tag none" }, `${profile} not judged`);
  });
  const item = (name) => { const own = results.filter((result) => result.case === name), verdict = worst(own.map((result) => result.verdict)); return make("li", {}, tag(verdict, ""), make("a", { class: "mono", href: link({ case: own.find((result) => result.verdict === verdict).name }, false) }, name)); };
  const list = make("details", { ontoggle: () => { if (!list.querySelector("ul")) list.append(make("ul", {}, ...names.map(item))); } }, make("summary", {}, `${names.length} ${names.length === 1 ? "case" : "cases"}`));
  return make("article", { class: "rule", id: `rule-${id}` }, make("div", { class: "head" }, make("h3", {}, id), text("span", "level", requirement.level), text("span", "soft small", requirement.source), make("div", { class: "marks" }, ...marks)),
    make("p", {}, ...prose(requirement.text)), requirement.why ? text("p", "soft small", ...prose(requirement.why)) : null, requirement.excluded ? text("p", "soft small", `No case can judge it: ${requirement.excluded}`) : null, names.length ? list : null);
}

function filters(placeholder, fill) {
  const now = state(), change = (changes) => { history.replaceState(null, "", link(changes)); fill(); };
  const search = make("input", { type: "search", id: "search", placeholder, "aria-label": "Filter by text", value: now.q ?? "", oninput: () => change({ q: search.value }), onkeydown: (pressed) => {
    if (pressed.key !== "Escape") return;
    pressed.preventDefault();
    search.value = "";
    change({ q: "" });
  } });
  const choose = (key, every, known) => { const box = make("select", { id: key, "aria-label": every, onchange: () => change({ [key]: box.value }) }, make("option", { value: "" }, every), ...known.map((each) => make("option", { value: each, selected: now[key] === each }, each))); return box; };
  const chips = make("div", { class: "chips", role: "group", "aria-label": "Filter by verdict" }, ...RANKS.filter((verdict) => run.results.some((result) => result.verdict === verdict)).map((verdict) => {
    const chip = make("button", { type: "button", class: look(verdict), "data-verdict": verdict, "aria-pressed": String(now.verdict === verdict), onclick: () => {
      const chosen = state().verdict === verdict ? "" : verdict;
      for (const each of chips.children) each.setAttribute("aria-pressed", String(each.dataset.verdict === chosen));
      change({ verdict: chosen });
    } }, `${SIGNS[verdict]} ${verdict}`);
    return chip;
  }));
  return [make("div", { class: "tools" }, search, choose("profile", "Every profile", profiles), choose("family", "Every family", families)), chips];
}

function matching({ q = "", verdict, profile, family }) {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  return run.results.filter((result) => {
    if ((verdict && result.verdict !== verdict) || (profile && result.profile !== profile) || (family && result.family !== family)) return false;
    const said = words.length ? `${result.name} ${result.requires.join(" ")} ${result.why} ${result.findings.map((finding) => finding.actual).join(" ")}`.toLowerCase() : "";
    return words.every((word) => said.includes(word));
  });
}

function caseList() {
  const rows = make("ul", { class: "rows" }), count = text("p", "soft small"), fill = () => {
    const found = new Map();
    for (const result of matching(state())) found.set(result.case, [...(found.get(result.case) ?? []), result]);
    const ranked = [...found.values()].sort((a, b) => RANKS.indexOf(worst(a.map((r) => r.verdict))) - RANKS.indexOf(worst(b.map((r) => r.verdict))));
    rows.replaceChildren(...ranked.map((results) => make("li", { "data-case": results[0].case }, make("div", {}, make("a", { class: "mono", href: toCase(results[0]) }, results[0].case), text("div", "why", results[0].why)),
      make("div", { class: "marks" }, ...results.map((result) => make("a", { href: toCase(result), "aria-label": `${result.profile}: ${result.verdict}` }, tag(result.verdict, result.profile)))))));
    count.textContent = byId("said").textContent = ranked.length ? `${ranked.length} of ${cases.size} cases` : "No case matches these filters.";
  };
  const parts = [make("h1", {}, "Cases"), ...filters("Case, rule or word", fill), count, make("div", { class: "sheet" }, rows)];
  fill();
  return parts;
}

function requirements() {
  const box = make("div", { class: "sheet" }), count = text("p", "soft small"), fill = () => {
    const now = state(), words = (now.q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    const found = Object.entries(run.requirements).filter(([id, each]) => words.every((word) => `${id} ${each.level} ${each.text} ${each.why}`.toLowerCase().includes(word)) &&
      (!(now.verdict || now.profile || now.family) || onRule.get(id).some((result) => (!now.verdict || result.verdict === now.verdict) && (!now.profile || result.profile === now.profile) && (!now.family || result.family === now.family))));
    box.replaceChildren(...found.map(rule));
    count.textContent = byId("said").textContent = found.length ? `${found.length} of ${onRule.size} requirements` : "No requirement matches these filters.";
  };
  const parts = [make("h1", {}, "Requirements"), ...filters("Rule or word", fill), count, box];
  fill();
  return parts;
}

function timeline(trace, here, result) {
  let before = 0;
  const lines = trace.flatMap((event) => {
    const gap = event.n > before + 1 ? [make("li", { class: "gap" }, `… ${event.n - before - 1} events left out …`)] : [];
    before = event.n;
    const what = make("span", { class: "what" }, event.text, here.has(event.n) ? text("span", "flag", "diverges here") : null);
    if (event.detail) what.append(make("details", {}, make("summary", {}, event.kind === "requested" ? "the whole request" : "all of it"), make("pre", {}, event.detail)));
    return [...gap, make("li", { class: [here.has(event.n) ? "here" : "", isFault(event) ? "fault" : ""].join(" ").trim(), "data-who": event.who }, text("span", "n", String(event.n)), text("span", "at", `${event.ms.toFixed(1)} ms`), text("span", "who", event.who), what)];
  });
  return make("ol", { class: "sheet events", "aria-label": `Timeline of ${result.case}` }, ...lines);
}

function oneCase(result) {
  const trace = traceOf(result), here = new Set(result.findings.map((finding) => finding.event).filter((n) => n !== null));
  const order = matching(state()), place = order.indexOf(result), to = (n, rel, said) => (place >= 0 && order[n] ? make("a", { href: toCase(order[n]), rel }, said) : null);
  const parts = [make("nav", { class: "crumbs", "aria-label": "Cases", style: "margin-left:0" }, make("a", { href: link({ case: "", view: "cases" }), rel: "up" }, "← All cases"), make("span", { class: "end" }, to(place - 1, "prev", "Previous"), to(place + 1, "next", "Next"))),
    make("div", { class: "title" }, make("h1", {}, result.case), tag(result.verdict), text("span", "level", result.level)), text("p", "lead", result.why),
    make("nav", { class: "tabs", style: "margin-left:0", "aria-label": "Profiles" }, ...cases.get(result.case).map((each) => make("a", { class: look(each.verdict), href: toCase(each), "aria-current": each === result && "page" }, `${SIGNS[each.verdict]} ${each.profile}`)))];
  if (result.reason) parts.push(make("h3", {}, result.verdict === "n/a" ? "Why it did not run" : "What is known"), make("pre", {}, result.reason));
  parts.push(...result.findings.map((finding) => make("section", { class: `finding ${result.verdict === "warn" || result.verdict === "known-failure" ? "soft-finding" : ""}` }, make("h3", { class: "mono", style: "margin-top:0" }, finding.assertion), versus(finding), finding.requires.length ? make("p", { class: "small soft", style: "margin:0" }, "Breaks ", ...finding.requires.flatMap((id) => [ruleLink(id), " "])) : null)));
  if (result.unjudged.length) parts.push(make("h3", {}, "Not judged in this time"), make("ul", { class: "rulelist" }, ...result.unjudged.map((each) => make("li", {}, make("code", {}, each.word), ` ${each.why}`))));
  parts.push(make("h3", {}, "Run it alone"), rerun(result.rerun), make("h3", {}, "Requirements"), ruleList([...new Set([...result.requires, ...cited(result)])]));
  if (trace.length) parts.push(make("h2", {}, "What happened"), make("figure", { class: "figure sheet scroll", tabindex: "0", "aria-label": "Sequence diagram" }, diagram(trace, here)), make("h2", {}, "Timeline"), timeline(trace, here, result));
  return parts;
}

