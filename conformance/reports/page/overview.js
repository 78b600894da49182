// The first view: verdicts, what is broken, the matrix of profiles and families, the client.

const LOOKS = {
  conforms: "pass",
  "conforms in part": "warn",
  "conforms but for known failures": "warn",
  "not judged in full": "warn",
  "nothing ran": "na",
  "not declared by the driver": "na",
};

function card(profile) {
  const kind = LOOKS[profile.rank] ?? "fail";
  const counts = RANKS.filter((verdict) => profile.counts[verdict]).reverse();
  const judged = !["nothing ran", "not declared by the driver"].includes(profile.rank);
  return make(
    "section",
    { class: `sheet card ${kind}` },
    text("div", "name", `Profile ${profile.name}`),
    make("h2", { class: "verdict" }, profile.verdict[0].toUpperCase() + profile.verdict.slice(1)),
    make(
      "div",
      { class: "meter", "aria-hidden": "true" },
      ...counts.map((verdict) =>
        make("span", { class: look(verdict), style: `flex:${profile.counts[verdict]}` }),
      ),
    ),
    make(
      "div",
      { class: "counts" },
      ...counts.map((verdict) =>
        make(
          "a",
          { class: look(verdict), href: toCases({ profile: profile.name, verdict }) },
          `${profile.counts[verdict]} ${verdict}`,
        ),
      ),
      profile.unplayed ? text("span", "", `${profile.unplayed} not played`) : null,
    ),
    judged
      ? make(
          "dl",
          { class: "versus levels" },
          ...["MUST", "SHOULD"].flatMap((level) => [
            text("dt", "", level),
            text("dd", "", profile.said[level]),
          ]),
        )
      : null,
    ...profile.said.notes.map((note) => text("p", "soft small", note)),
  );
}

// Cases that did not apply, by what was missing.
function leftOut() {
  if (!run.not_applicable.length) return [];
  return [
    make("h2", {}, "What did not apply"),
    make(
      "dl",
      { class: "versus" },
      ...run.not_applicable.flatMap((group) => [
        text("dt", "mono", group.name),
        text("dd", "", group.said),
      ]),
    ),
  ];
}

function matrix() {
  const cell = (family, profile) => {
    const own = run.results.filter(
      (result) => result.family === family && result.profile === profile,
    );
    if (!own.length) return make("td", {}, make("span", { class: "none" }, "–"));
    const verdict = worst(own.map((result) => result.verdict)),
      good = own.filter((result) => result.verdict === "pass").length,
      ran = own.filter((result) => result.verdict !== "n/a").length;
    const said = ran ? `${good} of ${ran} pass` : `${own.length} n/a`,
      share = ran ? Math.round((100 * good) / ran) : 0;
    return make(
      "td",
      {},
      make(
        "a",
        {
          class: `${look(verdict)} share`,
          style: `--share:${share}%`,
          href: toCases({ family, profile }),
          "aria-label": `${family}, ${profile}: ${verdict}, ${said}`,
        },
        make("span", { "aria-hidden": "true", class: "sign" }, SIGNS[verdict]),
        said,
      ),
    );
  };
  return make(
    "div",
    { class: "sheet scroll" },
    make(
      "table",
      { class: "matrix" },
      make(
        "thead",
        {},
        make(
          "tr",
          {},
          make("th", { scope: "col" }, "Family"),
          ...profiles.map((name) => make("th", { scope: "col" }, name)),
        ),
      ),
      make(
        "tbody",
        {},
        ...families.map((family) =>
          make(
            "tr",
            {},
            make("th", { scope: "row" }, make("a", { href: toCases({ family }) }, family)),
            ...profiles.map((profile) => cell(family, profile)),
          ),
        ),
      ),
    ),
  );
}

// Failures are grouped by the rule that they cite first: published rules first, then most cases.
const SOURCES = ["published", "interface", "standard", "proposal", "observed"];
const rank = (id) => SOURCES.indexOf(run.requirements[id]?.source.split(":")[0]);

function troubles() {
  const found = new Map();
  for (const result of run.results.filter((each) => TROUBLE.includes(each.verdict))) {
    const rule = cited(result)[0] ?? "";
    found.set(rule, [...(found.get(rule) ?? []), result]);
  }
  const size = (results) => new Set(results.map((each) => each.case)).size;
  return [...found]
    .sort(([a, one], [b, other]) => rank(a) - rank(b) || size(other) - size(one))
    .map(([, results]) => results);
}

function trouble(results) {
  const [result] = results,
    [finding] = result.findings,
    rules = [...new Set(finding?.requires.length ? finding.requires : result.requires)];
  const names = [...new Set(results.map((each) => each.case))],
    first = (name) => results.find((each) => each.case === name);
  const others =
    names.length > 1
      ? make(
          "details",
          { style: "margin-top:12px" },
          make("summary", {}, `and ${names.length - 1} more ${names.length === 2 ? "case cites" : "cases cite"} it first`),
          make(
            "ul",
            {},
            ...names
              .slice(1)
              .map((name) =>
                make("li", {}, make("a", { class: "mono", href: toCase(first(name)) }, name)),
              ),
          ),
        )
      : null;
  return make(
    "article",
    { class: "trouble" },
    make(
      "div",
      { class: "head" },
      tag(result.verdict),
      make("a", { class: "mono", href: toCase(result) }, result.case),
      text("span", "soft small", [...new Set(results.map((each) => each.profile))].join(", ")),
    ),
    text("p", "soft", result.why),
    ruleList(rules),
    finding ? versus(finding) : text("p", "", result.reason),
    ...result.operations.map((each) => text("p", "soft small mono", each)),
    rerun(result.rerun),
    others,
  );
}

// What the start-up probe found out about truncated bodies.
const CUT = {
  "truncation.chunks": "truncated chunked bodies",
  "truncation.length": "bodies shorter than their Content-Length",
};
const SIGHTS = {
  "told from a clean end": "are recognised",
  "taken for a clean end": "look complete to the client",
  "not found out": "may or may not be recognised",
};
function stack() {
  const { why, ...found } = run.stack ?? {};
  const said = Object.entries(found).map(
    ([word, sight]) => `${CUT[word] ?? word} ${SIGHTS[sight] ?? sight}`,
  );
  if (!said.length) return [];
  return [text("dt", "", "HTTP stack"), text("dd", "", said.join("; ") + (why ? ` (${why})` : ""))];
}

function overview() {
  const { client } = run,
    found = troubles();
  const facts = [
    `${run.results.length} verdicts on ${cases.size} ${cases.size === 1 ? "case" : "cases"} in ${run.seconds.toFixed(1)} s`,
    client.command.join(" ") || "the reference driver",
  ];
  const parts = [
    make("h1", {}, `${client.implementation} ${client.version}`),
    make(
      "p",
      { class: "soft", style: "margin-top:8px" },
      facts[0],
      " · ",
      make("code", {}, facts[1]),
    ),
    make("div", { class: "cards" }, ...run.profiles.map(card)),
  ];
  if (found.length) {
    parts.push(
      make("h2", {}, `What is broken`),
      make("div", { class: "sheet" }, ...found.slice(0, MOST_TROUBLE).map(trouble)),
    );
    if (found.length > MOST_TROUBLE)
      parts.push(
        make(
          "p",
          { style: "margin-top:14px" },
          `The first ${MOST_TROUBLE} of ${found.length} are shown. `,
          make("a", { href: toCases({ verdict: "fail" }) }, "See all that fail"),
        ),
      );
  }
  const warned = run.results.filter((result) => result.verdict === "warn").length;
  if (warned)
    parts.push(
      make(
        "p",
        { style: "margin-top:18px" },
        make("a", { href: toCases({ verdict: "warn" }) }, `${warned} warnings`),
        ": a SHOULD does not hold.",
      ),
    );
  parts.push(...leftOut(), make("h2", {}, "Profiles and families"), matrix());
  parts.push(
    make("h2", {}, "The client"),
    make(
      "dl",
      { class: "versus" },
      text("dt", "", "Profiles"),
      text("dd", "", client.profiles.join(", ")),
      text("dt", "", "Capabilities"),
      text("dd", "", client.capabilities.join(", ") || "none"),
      text("dt", "", "Judged in"),
      text("dd", "", run.time.said),
      text("dt", "", "Judged by"),
      text("dd", "", run.specification.said),
      ...stack(),
    ),
  );
  const gaps = Object.entries(client.declared_gaps);
  if (gaps.length)
    parts.push(
      make("h3", {}, "Gaps that the driver declares"),
      make(
        "dl",
        { class: "versus" },
        ...gaps.flatMap(([name, why]) => [text("dt", "mono", name), text("dd", "", why)]),
      ),
    );
  return parts;
}
