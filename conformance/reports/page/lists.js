// The lists of requirements and cases.

function rule([id, requirement]) {
  const results = onRule.get(id),
    names = [...new Set(results.map((result) => result.case))];
  const marks = profiles
    .filter((profile) => requirement.profiles.includes(profile))
    .map((profile) => {
      const standing = run.profiles.find((each) => each.name === profile).rules[id];
      const own = results.filter((result) => result.profile === profile);
      const verdict =
        standing === "broken" ? worst(own.map((result) => result.verdict)) : STANDINGS[standing];
      return verdict
        ? tag(verdict, `${profile} ${standing}`)
        : make("span", { class: "tag none" }, `${profile} not judged`);
    });
  const item = (name) => {
    const own = results.filter((result) => result.case === name),
      verdict = worst(own.map((result) => result.verdict));
    return make(
      "li",
      {},
      tag(verdict, ""),
      make(
        "a",
        {
          class: "mono",
          href: link(
            {
              case: own.find((result) => result.verdict === verdict).name,
              view: "requirements",
              rule: id,
            },
            false,
          ),
        },
        name,
      ),
    );
  };
  const list = make(
    "details",
    {
      ontoggle: () => {
        if (!list.querySelector("ul")) list.append(make("ul", {}, ...names.map(item)));
      },
    },
    make("summary", {}, plural(names.length, "case")),
  );
  return make(
    "article",
    { class: "rule", id: `rule-${id}` },
    make(
      "div",
      { class: "head" },
      make("h3", {}, id),
      text("span", "level", requirement.level),
      text("span", "soft small", requirement.source),
      published(id),
      make("div", { class: "marks" }, ...marks),
    ),
    make("p", {}, ...prose(requirement.text)),
    requirement.why ? text("p", "soft small", ...prose(requirement.why)) : null,
    requirement.excluded
      ? text("p", "soft small", `No case can judge this rule: ${requirement.excluded}`)
      : null,
    names.length ? list : null,
  );
}

function caseList() {
  const rows = make("ul", { class: "rows" }),
    count = text("p", "soft small");
  const fill = (entries) => {
    const worstOf = (results) => RANKS.indexOf(worst(results.map((each) => each.verdict)));
    const found = grouped(
      entries.map((entry) => entry.result),
      (result) => result.case,
    )
      .map(([, results]) => results)
      .sort((a, b) => worstOf(a) - worstOf(b));
    rows.replaceChildren(
      ...found.map((results) =>
        make(
          "li",
          { "data-case": results[0].case },
          make(
            "div",
            {},
            make("a", { class: "mono", href: toCase(results[0]) }, results[0].case),
            text("div", "why", ...prose(results[0].why)),
          ),
          make(
            "div",
            { class: "marks" },
            ...results.map((result) =>
              make(
                "a",
                { href: toCase(result), "aria-label": `${result.profile}: ${result.verdict}` },
                tag(result.verdict, result.profile),
              ),
            ),
          ),
        ),
      ),
    );
    count.textContent = byId("said").textContent = found.length
      ? `${found.length} of ${plural(cases.size, "case")}`
      : "No case matches these filters.";
  };
  const tools = filters("Search for a case, rule or word", ofCases, fill);
  fill(matching(ofCases, state()));
  return [make("h1", {}, "Cases"), tools, count, make("div", { class: "sheet" }, rows)];
}

function requirements() {
  const box = make("div", { class: "sheet" }),
    count = text("p", "soft small");
  const fill = (entries) => {
    const found = unique(entries.map((entry) => entry.row));
    box.replaceChildren(...found.map((id) => rule([id, run.requirements[id]])));
    count.textContent = byId("said").textContent = found.length
      ? `${found.length} of ${plural(onRule.size, "requirement")}`
      : "No requirement matches these filters.";
  };
  const tools = filters("Search for a rule or word", ofRules, fill);
  fill(matching(ofRules, state()));
  return [make("h1", {}, "Requirements"), tools, count, box];
}
