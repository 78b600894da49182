// The view of one case: its findings, the command that reruns it, its diagram and its timeline.

function timeline(trace, here, result) {
  let before = 0;
  const lines = trace.flatMap((event) => {
    const gap =
      event.n > before + 1
        ? [make("li", { class: "gap" }, `… ${event.n - before - 1} events left out …`)]
        : [];
    before = event.n;
    const what = make(
      "span",
      { class: "what" },
      event.text,
      here.has(event.n) ? text("span", "flag", "diverges here") : null,
    );
    if (event.detail)
      what.append(
        make(
          "details",
          {},
          make("summary", {}, event.kind === "requested" ? "the whole request" : "the full text"),
          make("pre", {}, event.detail),
        ),
      );
    return [
      ...gap,
      make(
        "li",
        {
          class: [here.has(event.n) ? "here" : "", isFault(event) ? "fault" : ""].join(" ").trim(),
          "data-who": event.who,
        },
        text("span", "n", String(event.n)),
        text("span", "at", `${event.ms.toFixed(1)} ms`),
        text("span", "who", event.who),
        what,
      ),
    ];
  });
  return make(
    "ol",
    { class: "sheet events", "aria-label": `Timeline of ${result.case}` },
    ...lines,
  );
}

function oneCase(result) {
  const trace = traceOf(result),
    here = new Set(result.findings.map((finding) => finding.event).filter((n) => n !== null));
  const order = matching(state()),
    place = order.indexOf(result),
    to = (n, rel, said) =>
      place >= 0 && order[n] ? make("a", { href: toCase(order[n]), rel }, said) : null;
  const parts = [
    make(
      "nav",
      { class: "crumbs", "aria-label": "Cases", style: "margin-left:0" },
      make("a", { href: link({ case: "", view: "cases" }), rel: "up" }, "← All cases"),
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
    text("p", "lead", result.why),
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
  ];
  if (result.reason)
    parts.push(
      make("h3", {}, result.verdict === "n/a" ? "Why it did not run" : "What the kit knows"),
      make("pre", {}, result.reason),
    );
  parts.push(
    ...result.findings.map((finding) =>
      make(
        "section",
        {
          class: `finding ${result.verdict === "warn" || result.verdict === "known-failure" ? "soft-finding" : ""}`,
        },
        make("h3", { class: "mono", style: "margin-top:0" }, finding.assertion),
        versus(finding),
        finding.requires.length
          ? make(
              "p",
              { class: "small soft", style: "margin:0" },
              finding.not_reached
                ? "The client did not get as far as the rule of this case. Before that, it broke "
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
      make("ul", { class: "rulelist" }, ...result.operations.map((each) => text("li", "mono", each))),
    );
  if (result.unjudged.length)
    parts.push(
      make("h3", {}, "Not judged in this time mode"),
      make(
        "ul",
        { class: "rulelist" },
        ...result.unjudged.map((each) =>
          make("li", {}, make("code", {}, each.word), ` ${each.why}`),
        ),
      ),
    );
  parts.push(
    make("h3", {}, "Run it alone"),
    rerun(result.rerun),
    make("h3", {}, "Requirements"),
    ruleList([...new Set([...result.requires, ...cited(result)])]),
  );
  if (trace.length)
    parts.push(
      make("h2", {}, "What happened"),
      make(
        "figure",
        { class: "figure sheet scroll", tabindex: "0", "aria-label": "Sequence diagram" },
        diagram(trace, here),
      ),
      make("h2", {}, "Timeline"),
      timeline(trace, here, result),
    );
  return parts;
}
