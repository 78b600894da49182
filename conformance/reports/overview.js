// The first view: verdicts, what is broken, the matrix of profiles and families, the client.

function card(profile) {
  const kind =
    profile.verdict === "conforms"
      ? "pass"
      : profile.verdict.startsWith("conforms")
        ? "warn"
        : profile.verdict === "nothing ran"
          ? "na"
          : "fail";
  const counts = RANKS.filter((verdict) => profile.counts[verdict]).reverse();
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
    ),
  );
}

function matrix() {
  const cell = (family, profile) => {
    const own = run.results.filter(
      (result) => result.family === family && result.profile === profile,
    );
    if (!own.length) return make("td", {}, make("span", { class: "none" }, "–"));
    const verdict = worst(own.map((result) => result.verdict)),
      good = own.filter((result) => result.verdict === "pass").length;
    const said = good === own.length ? `${good}` : `${good} of ${own.length}`;
    return make(
      "td",
      {},
      make(
        "a",
        {
          class: look(verdict),
          href: toCases({ family, profile }),
          "aria-label": `${family}, ${profile}: ${verdict}, ${good} of ${own.length} pass`,
        },
        make("span", { "aria-hidden": "true", style: "padding:0;background:none" }, SIGNS[verdict]),
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

// The same finding under several profiles, or of several variants of a case, is one trouble.
function troubles() {
  const found = new Map();
  for (const result of run.results.filter((each) => TROUBLE.includes(each.verdict))) {
    const [first] = result.findings,
      key = [result.case.split("[")[0], first?.assertion, first?.expected, first?.actual].join(
        "\n",
      );
    found.set(key, [...(found.get(key) ?? []), result]);
  }
  return [...found.values()];
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
          make("summary", {}, `and ${names.length - 1} more of its kind`),
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
    rerun(result.rerun),
    others,
  );
}

// What the start-up probe found out about bodies that are cut off.
const CUT = {
  "truncation.chunks": "a body without its last chunk is",
  "truncation.length": "a body shorter than its Content-Length is",
};
function stack() {
  const { why, ...found } = run.stack ?? {};
  const said = Object.entries(found).map(([word, sight]) => `${CUT[word] ?? word} ${sight}`);
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
  parts.push(make("h2", {}, "Profiles and families"), matrix());
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
      ...stack(),
    ),
  );
  const gaps = Object.entries(client.declared_gaps);
  if (gaps.length)
    parts.push(
      make("h3", {}, "Gaps that it declares"),
      make(
        "dl",
        { class: "versus" },
        ...gaps.flatMap(([name, why]) => [text("dt", "mono", name), text("dd", "", why)]),
      ),
    );
  return parts;
}
