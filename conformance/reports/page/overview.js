// The overview: verdicts, causes, the matrix of profiles and families, and what was judged.

const LOOKS = {
  conforms: "pass",
  "conforms in part": "warn",
  "conforms except for known failures": "warn",
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
    make(
      "div",
      { class: "head" },
      make("h2", { class: "verdict" }, profile.verdict[0].toUpperCase() + profile.verdict.slice(1)),
      text("span", "name", `Profile ${profile.name}`),
    ),
    make(
      "div",
      { class: "meter", "aria-hidden": "true" },
      ...counts.map((verdict) =>
        make("span", { class: look(verdict), style: `flex:${profile.counts[verdict]}` }),
      ),
    ),
    make(
      "div",
      { class: "tally" },
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
      ...["MUST", "SHOULD"].map((level) =>
        judged ? make("p", {}, text("span", "", level), profile.said[level]) : null,
      ),
    ),
  );
}

// The cases that did not apply, grouped by what was missing.
function leftOut() {
  if (!run.not_applicable.length) return [];
  return [
    make("h2", {}, "Cases that did not apply"),
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
    const said = ran ? `${good} of ${ran} passed` : `${own.length} n/a`,
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

// Whether the client recognises truncated bodies, as the start-up probe found out.
const CUT = {
  "truncation.chunks": "truncated chunked bodies",
  "truncation.length": "bodies shorter than their Content-Length",
};
const SIGHTS = {
  "distinguished from a clean end": "are recognised as incomplete",
  "taken for a clean end": "are mistaken for complete ones",
  "not found out": "could not be tested",
};
function stack() {
  const { why, ...found } = run.stack ?? {};
  const said = Object.entries(found).map(
    ([word, sight]) => `${CUT[word] ?? word} ${SIGHTS[sight] ?? sight}`,
  );
  if (!said.length) return [];
  return [text("dt", "", "HTTP stack"), text("dd", "", said.join("; ") + (why ? ` (${why})` : ""))];
}

// What was judged, with which kit, when and where.
function facts() {
  const command = run.client.command.join(" ");
  const about = [
    ...(ofBackend
      ? aboutBackend(command)
      : [["Driver", make("code", {}, command || "the reference driver")]]),
    ["Judged by", `${run.specification.said}; kit ${run.kit}`],
    ["Date", run.date.replace("T", " ").replace("+00:00", " UTC")],
    ["Host", run.host],
  ];
  return make(
    "dl",
    { class: "facts small" },
    ...about.map(([name, said]) => make("div", {}, text("dt", "", name), text("dd", "", said))),
  );
}

function overview() {
  const parts = [
    make("h1", {}, run.name),
    text("p", "soft said", run.said),
    facts(),
    make("div", { class: "cards" }, ...run.profiles.map(card)),
    ...causeList(),
  ];
  if (run.notes.length)
    parts.push(
      make("h2", {}, "Notes"),
      make("ul", { class: "besides" }, ...run.notes.map((note) => text("li", "", note))),
    );
  parts.push(...leftOut(), make("h2", {}, "Profiles and families"), matrix());
  parts.push(...(ofBackend ? theBackend() : theClient()));
  return parts;
}

// The client's profiles, capabilities and declared gaps.
function theClient() {
  const { client } = run;
  const parts = [
    make("h2", {}, "The client"),
    make(
      "dl",
      { class: "versus" },
      text("dt", "", "Profiles"),
      text("dd", "", client.profiles.join(", ")),
      text("dt", "", "Capabilities"),
      text("dd", "", client.capabilities.join(", ") || "none"),
      ...stack(),
    ),
  ];
  const gaps = Object.entries(client.declared_gaps);
  if (gaps.length)
    parts.push(
      make("h3", {}, "Gaps declared by the driver"),
      make(
        "dl",
        { class: "versus" },
        ...gaps.flatMap(([name, why]) => [text("dt", "mono", name), text("dd", "", why)]),
      ),
    );
  return parts;
}
