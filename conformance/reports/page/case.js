// The view of one case: its first wrong step, findings, rerun command and traces.

// The link back to the list that the reader came from.
function wayBack() {
  const { view, cause } = state();
  if (view === "requirements") return ["← Requirements", link({ case: "" })];
  if (view !== "cases" && run.causes[cause - 1])
    return [`← Cause ${cause}`, link({ case: "", view: "" })];
  return ["← All cases", link({ case: "", view: "cases" })];
}

// The first wrong step of a failure, and the cause that it shares with other failures.
function beginning(result) {
  if (!result.said) return [];
  const cause = run.causes[result.cause];
  if (ofBackend) return cause ? sharing(result, cause) : [];
  return [
    make(
      "section",
      { class: `sheet begins ${result.verdict === "warn" ? "warn" : "fail"}` },
      text("p", "sentence", ...prose(result.said)),
      parting(result),
      cause
        ? make(
            "p",
            { class: "small soft" },
            make(
              "a",
              { href: link({ cause: String(result.cause + 1) }, false) },
              `Cause ${result.cause + 1}`,
            ),
            ...(cause.results.length > 1 ? [": ", ...withRule(cause.sentence, cause.rule)] : []),
          )
        : null,
    ),
  ];
}

// The finding already explains the failure of a backend case, so this shows only a shared cause.
function sharing(result, cause) {
  if (cause.results.every((each) => each.case === result.case)) return [];
  const number = String(result.cause + 1);
  return [
    make(
      "p",
      { class: "small soft" },
      make("a", { href: link({ cause: number }, false) }, `Cause ${number}`),
      ": ",
      ...withRule(cause.sentence, cause.rule),
    ),
  ];
}

function oneCase(result) {
  const order = matching(ofCases, state()).map((entry) => entry.result),
    [back, list] = wayBack(),
    place = order.indexOf(result),
    to = (n, rel, said) =>
      place >= 0 && order[n] ? make("a", { href: toCase(order[n]), rel }, said) : null;
  const parts = [
    make(
      "nav",
      { class: "crumbs", "aria-label": "Cases", style: "margin-left:0" },
      make("a", { href: list, rel: "up" }, back),
      make(
        "span",
        { class: "end" },
        to(place - 1, "prev", "Previous"),
        to(place + 1, "next", "Next"),
      ),
    ),
    make(
      "div",
      { class: "title" },
      make("h1", {}, result.case),
      tag(result.verdict),
      text("span", "level", result.level),
    ),
    text("p", "lead", ...prose(result.why)),
    make(
      "nav",
      { class: "tabs", style: "margin-left:0", "aria-label": "Profiles" },
      ...cases.get(result.case).map((each) =>
        make(
          "a",
          {
            class: look(each.verdict),
            href: toCase(each),
            "aria-current": each === result && "page",
          },
          `${SIGNS[each.verdict]} ${each.profile}`,
        ),
      ),
    ),
    ...beginning(result),
  ];
  if (result.reason)
    parts.push(
      make("h3", {}, result.verdict === "n/a" ? "Why the case did not run" : "Details"),
      make("pre", {}, result.reason),
    );
  parts.push(
    ...result.findings.map((finding) =>
      make(
        "section",
        {
          class: `finding ${result.verdict === "warn" || result.verdict === "known-failure" ? "soft-finding" : ""}`,
        },
        finding.requires.includes(finding.assertion)
          ? null
          : make("h3", { class: "mono", style: "margin-top:0" }, finding.assertion),
        versus(finding),
        finding.requires.length
          ? make(
              "p",
              { class: "small soft", style: "margin:0" },
              finding.not_reached
                ? `Before the ${run.judged} reached what this case checks, it broke `
                : "Breaks ",
              ...finding.requires.flatMap((id) => [ruleLink(id), " "]),
            )
          : null,
      ),
    ),
  );
  if (result.operations.length)
    parts.push(
      make("h3", {}, "How each operation settled"),
      make(
        "ul",
        { class: "rulelist" },
        ...result.operations.map((each) => text("li", "mono", each)),
      ),
    );
  if (result.unjudged.length)
    parts.push(
      make("h3", {}, "Expectations not judged, or judged only in part"),
      make(
        "ul",
        { class: "rulelist" },
        ...result.unjudged.map((each) =>
          make("li", {}, make("code", {}, each.word), ` ${each.why}`),
        ),
      ),
    );
  parts.push(
    make("h3", {}, "Run only this case"),
    rerun(result.rerun),
    make("h3", {}, "Requirements"),
    ruleList(unique([...result.requires, ...cited(result)])),
  );
  if (result.trace.length) parts.push(...whatHappened(result));
  return parts;
}
