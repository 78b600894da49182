// The lists of requirements and cases, with their filters.

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
          href: link({ case: own.find((result) => result.verdict === verdict).name }, false),
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
    make("summary", {}, `${names.length} ${names.length === 1 ? "case" : "cases"}`),
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
      ? text("p", "soft small", `No case can judge it: ${requirement.excluded}`)
      : null,
    names.length ? list : null,
  );
}

function filters(placeholder, fill) {
  const now = state(),
    change = (changes) => {
      history.replaceState(null, "", link(changes));
      fill();
    };
  const search = make("input", {
    type: "search",
    id: "search",
    placeholder,
    "aria-label": "Filter by text",
    value: now.q ?? "",
    oninput: () => change({ q: search.value }),
    onkeydown: (pressed) => {
      if (pressed.key !== "Escape") return;
      pressed.preventDefault();
      search.value = "";
      change({ q: "" });
    },
  });
  const choose = (key, every, known) => {
    const box = make(
      "select",
      { id: key, "aria-label": every, onchange: () => change({ [key]: box.value }) },
      make("option", { value: "" }, every),
      ...known.map((each) => make("option", { value: each, selected: now[key] === each }, each)),
    );
    return box;
  };
  const chips = make(
    "div",
    { class: "chips", role: "group", "aria-label": "Filter by verdict" },
    ...RANKS.filter((verdict) => run.results.some((result) => result.verdict === verdict)).map(
      (verdict) => {
        const chip = make(
          "button",
          {
            type: "button",
            class: look(verdict),
            "data-verdict": verdict,
            "aria-pressed": String(now.verdict === verdict),
            onclick: () => {
              const chosen = state().verdict === verdict ? "" : verdict;
              for (const each of chips.children)
                each.setAttribute("aria-pressed", String(each.dataset.verdict === chosen));
              change({ verdict: chosen });
            },
          },
          `${SIGNS[verdict]} ${verdict}`,
        );
        return chip;
      },
    ),
  );
  return [
    make(
      "div",
      { class: "tools" },
      search,
      choose("profile", "Every profile", profiles),
      choose("family", "Every family", families),
    ),
    chips,
  ];
}

function matching({ q = "", verdict, profile, family }) {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  return run.results.filter((result) => {
    if (
      (verdict && result.verdict !== verdict) ||
      (profile && result.profile !== profile) ||
      (family && result.family !== family)
    )
      return false;
    const said = words.length
      ? `${result.name} ${result.requires.join(" ")} ${result.why} ${result.findings.map((finding) => finding.actual).join(" ")}`.toLowerCase()
      : "";
    return words.every((word) => said.includes(word));
  });
}

function caseList() {
  const rows = make("ul", { class: "rows" }),
    count = text("p", "soft small"),
    fill = () => {
      const found = new Map();
      for (const result of matching(state()))
        found.set(result.case, [...(found.get(result.case) ?? []), result]);
      const ranked = [...found.values()].sort(
        (a, b) =>
          RANKS.indexOf(worst(a.map((r) => r.verdict))) -
          RANKS.indexOf(worst(b.map((r) => r.verdict))),
      );
      rows.replaceChildren(
        ...ranked.map((results) =>
          make(
            "li",
            { "data-case": results[0].case },
            make(
              "div",
              {},
              make("a", { class: "mono", href: toCase(results[0]) }, results[0].case),
              text("div", "why", results[0].why),
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
      count.textContent = byId("said").textContent = ranked.length
        ? `${ranked.length} of ${cases.size} cases`
        : "No case matches these filters.";
    };
  const parts = [
    make("h1", {}, "Cases"),
    ...filters("Case, rule or word", fill),
    count,
    make("div", { class: "sheet" }, rows),
  ];
  fill();
  return parts;
}

function requirements() {
  const box = make("div", { class: "sheet" }),
    count = text("p", "soft small"),
    fill = () => {
      const now = state(),
        words = (now.q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
      const found = Object.entries(run.requirements).filter(
        ([id, each]) =>
          words.every((word) =>
            `${id} ${each.level} ${each.text} ${each.why}`.toLowerCase().includes(word),
          ) &&
          (!(now.verdict || now.profile || now.family) ||
            onRule
              .get(id)
              .some(
                (result) =>
                  (!now.verdict || result.verdict === now.verdict) &&
                  (!now.profile || result.profile === now.profile) &&
                  (!now.family || result.family === now.family),
              )),
      );
      box.replaceChildren(...found.map(rule));
      count.textContent = byId("said").textContent = found.length
        ? `${found.length} of ${onRule.size} requirements`
        : "No requirement matches these filters.";
    };
  const parts = [make("h1", {}, "Requirements"), ...filters("Rule or word", fill), count, box];
  fill();
  return parts;
}
