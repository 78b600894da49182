// The causes: each is one sentence that opens to show the failures it explains.

for (const cause of run.causes) cause.results = cause.results.map((place) => run.results[place]);

const MOST_OF_A_STEP = 160;
const inCause = (result, changes = {}) =>
  link({
    case: result.name,
    cause: result.cause === null ? "" : String(result.cause + 1),
    ...changes,
  });

// A sentence as nodes; the first mention of its rule links to the text of the rule.
function withRule(sentence, rule) {
  const [before, ...after] = rule ? sentence.split(new RegExp(`\\b${rule}\\b`)) : [sentence];
  return after.length
    ? [...prose(before), ruleLink(rule), ...prose(after.join(rule))]
    : prose(before);
}

// The steps at which client and reference diverge, each with its cell in the state table.
function parting({ begins, reference, ...result }) {
  if (!begins?.client) return null;
  const side = (name, { event, cell }, whose) => {
    const found = whose && traceOf(whose).find((each) => each.n === event);
    const step = found?.text ?? "";
    const said = found
      ? `${found.n}  ${step.length > MOST_OF_A_STEP ? `${step.slice(0, MOST_OF_A_STEP)}…` : step}`
      : "does nothing more";
    return [
      text("dt", "", name),
      make(
        "dd",
        { class: name === "Client" ? "actual" : "" },
        event === null || found ? text("span", "mono", said) : null,
        " ",
        make(
          "span",
          { class: "cell", title: "The state and signal of this step in the state table" },
          cell,
        ),
      ),
    ];
  };
  return make(
    "dl",
    { class: "versus" },
    ...side("Client", begins.client, result),
    ...side("Reference", begins.reference, reference),
  );
}

// The most typical failure of a cause, in short.
function example(results) {
  const [result] = results,
    [finding] = result.findings;
  return make(
    "div",
    { class: "example" },
    make(
      "div",
      { class: "head" },
      tag(result.verdict),
      make("a", { class: "mono", href: inCause(result) }, result.case),
      text("span", "soft small", result.profile),
    ),
    text("p", "soft", ...prose(result.why)),
    finding ? versus(finding) : text("p", "", result.reason),
    parting(result),
    ...result.operations.map((each) => text("p", "soft small mono", each)),
    make(
      "p",
      { class: "small" },
      make(
        "a",
        { href: inCause(result, { beside: result.reference ? "1" : "" }) },
        result.reference ? "Compare with the reference's timeline" : "See the timeline",
      ),
    ),
    rerun(result.rerun),
  );
}

// One case, with a tag for each profile under which it fails.
function failure(results) {
  return make(
    "li",
    {},
    make("a", { class: "mono", href: inCause(results[0]) }, results[0].case),
    make(
      "span",
      { class: "marks" },
      ...results.map((each) =>
        make(
          "a",
          { href: inCause(each), "aria-label": `${each.profile}: ${each.verdict}` },
          tag(each.verdict, each.profile),
        ),
      ),
    ),
  );
}

// A <details> element that creates its content when it is first opened.
function lazily(attributes, head, content) {
  const box = make(
    "details",
    {
      ...attributes,
      ontoggle: () => {
        if (box.open && box.children.length === 1) box.append(...content());
      },
    },
    head,
  );
  return box;
}

const template = (result) => result.case.split("[")[0];
function ofTemplate([name, results]) {
  const byCase = grouped(results, (each) => each.case);
  if (byCase.length === 1) return failure(byCase[0][1]);
  return make(
    "li",
    {},
    lazily(
      {},
      make("summary", {}, text("span", "mono", name), ` ${plural(byCase.length, "case")}`),
      () => [make("ul", { class: "failures" }, ...byCase.map(([, own]) => failure(own)))],
    ),
  );
}

// Sort rules by source, published ones first, then by their number of failures.
const rank = (id) => SOURCES.indexOf(sourceOf(id));
function byRule(results) {
  return grouped(results, (each) => about(each)[0] ?? "")
    .sort(([a, one], [b, other]) => rank(a) - rank(b) || other.length - one.length)
    .map(([id, own]) =>
      make(
        "section",
        { class: "byrule", "data-rule": id },
        make(
          "p",
          {},
          ...(id ? [ruleLink(id), " "] : []),
          text("span", "level", run.requirements[id]?.level ?? "no rule"),
          " ",
          text("span", "soft small", sourceOf(id)),
          " ",
          ...prose(run.requirements[id]?.text ?? ""),
          " ",
          published(id),
        ),
        make("ul", { class: "failures" }, ...grouped(own, template).map(ofTemplate)),
      ),
    );
}

function oneCause(cause, place, all) {
  const number = String(place + 1),
    now = state().cause;
  const keep = (event) => {
    if (!event.target.closest("a"))
      history.replaceState(null, "", link({ cause: box.open ? "" : number }));
  };
  const box = lazily(
    { class: `cause ${cause.warning ? "warn" : "fail"}`, "data-cause": number },
    make(
      "summary",
      { onclick: keep },
      text("span", "number", number),
      make(
        "span",
        {},
        text("span", "sentence", ...withRule(cause.sentence, cause.rule)),
        ...cause.hints.map((hint) => text("span", "hint", ...prose(hint))),
      ),
    ),
    () => [
      make(
        "div",
        { class: "inside" },
        example(cause.results),
        make(
          "h3",
          {},
          cause.results.length > 1
            ? `All ${cause.results.length} results with this cause, by rule`
            : "Rule",
        ),
        ...byRule(cause.results),
      ),
    ],
  );
  box.open = now === number || (!now && all.length === 1);
  return box;
}

// Results that failed without a finding, for example because the kit itself failed.
const unexplained = run.results.filter(
  (result) => TROUBLE.includes(result.verdict) && result.cause === null,
);
function causeList() {
  if (!run.causes.length && !unexplained.length) return [];
  const parts = [];
  if (run.causes.length)
    parts.push(
      make("h2", { class: "near" }, broken ? "What is broken" : "What to check"),
      make("div", { class: "sheet" }, ...run.causes.map(oneCause)),
    );
  if (unexplained.length)
    parts.push(
      make("h2", { class: "near" }, "Failures without a finding"),
      make(
        "div",
        { class: "sheet" },
        ...grouped(unexplained, (each) => each.reason).map(([, own]) => example(own)),
      ),
    );
  return parts;
}
