// The filters of the lists: a text field, and chips with the number of rows that each would leave.

// A filter accepts or rejects entries; a row of a list is shown if one of its entries is accepted.
const OPTIONS = {
  verdict: RANKS,
  profile: profiles,
  source: SOURCES,
  family: families,
  cause: run.causes.map((_, place) => String(place + 1)),
};
const NAMES = {
  verdict: "Verdict",
  profile: "Profile",
  source: "Source of the rule",
  family: "Family",
  cause: "Cause",
};
const FILTERS = Object.keys(OPTIONS);
const NO_FILTER = Object.fromEntries(["q", ...FILTERS].map((key) => [key, ""]));

const valuesOf = (result, sources) => ({
  verdict: [result.verdict],
  profile: [result.profile],
  source: sources,
  family: [result.family],
  cause: result.cause === null ? [] : [String(result.cause + 1)],
});
const ofCases = run.results.map((result) => ({
  row: result.case,
  result,
  values: valuesOf(result, unique(about(result).map(sourceOf))),
  words: () =>
    `${result.name} ${result.requires.join(" ")} ${result.why} ${result.findings.map((finding) => finding.actual).join(" ")}`,
}));
const ofRules = Object.entries(run.requirements).flatMap(([id, rule]) => {
  const words = () => `${id} ${rule.level} ${rule.text} ${rule.why}`,
    source = [sourceOf(id)];
  const alone = {
    row: id,
    values: { verdict: [], profile: [], source, family: [], cause: [] },
    words,
  };
  return [
    alone,
    ...onRule
      .get(id)
      .map((result) => ({ row: id, result, values: valuesOf(result, source), words })),
  ];
});

const lets = (entry, now, but) =>
  FILTERS.every((key) => key === but || !now[key] || entry.values[key].includes(now[key]));
function withWords(entries, { q = "" }) {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return entries;
  return entries.filter((entry) => {
    const said = entry.words().toLowerCase();
    return words.every((word) => said.includes(word));
  });
}
const matching = (entries, now) => withWords(entries, now).filter((entry) => lets(entry, now));

// The number of rows that each value of a filter would leave while the other filters stay the same.
function countsOf(entries, now, key) {
  const found = new Map(OPTIONS[key].map((value) => [value, new Set()]));
  for (const entry of entries)
    if (lets(entry, now, key))
      for (const value of entry.values[key]) found.get(value)?.add(entry.row);
  return found;
}

const chipText = (key, value) => {
  if (key === "verdict") return `${SIGNS[value]} ${value}`;
  return key === "cause" ? `${value} ${run.causes[value - 1].rule}`.trim() : value;
};

function chip(key, value, pick) {
  return make(
    "button",
    {
      type: "button",
      class: key === "verdict" ? look(value) : "",
      "data-filter": `${key}=${value}`,
      onclick: () => pick({ [key]: state()[key] === value ? "" : value }),
    },
    chipText(key, value),
    text("span", "count"),
  );
}

// The chips of one filter, without values that no entry has; none if all entries share one value.
function chipsOf(key, entries, pick) {
  const known = OPTIONS[key].filter((value) =>
    entries.some((entry) => entry.values[key].includes(value)),
  );
  if (!known.length || (known.length === 1 && entries.every((each) => each.values[key].length)))
    return null;
  return make(
    "div",
    { class: "chips", role: "group", "aria-label": `Filter by ${NAMES[key].toLowerCase()}` },
    text("span", "soft small", NAMES[key]),
    make("div", {}, ...known.map((value) => chip(key, value, pick))),
  );
}

function recount(box, entries) {
  const now = state(),
    left = withWords(entries, now),
    counted = Object.fromEntries(FILTERS.map((key) => [key, countsOf(left, now, key)]));
  for (const each of box.querySelectorAll("[data-filter]")) {
    const [key, value] = each.dataset.filter.split("="),
      pressed = now[key] === value,
      count = counted[key].get(value).size;
    each.setAttribute("aria-pressed", String(pressed));
    each.disabled = !count && !pressed;
    each.querySelector(".count").textContent = count;
  }
  box.querySelector("#clear").hidden = !Object.keys(NO_FILTER).some((key) => now[key]);
}

// The tools above a list. After each change, `fill` is called with the entries that match.
function filters(placeholder, entries, fill) {
  const change = (changes) => {
    history.replaceState(null, "", link(changes));
    recount(box, entries);
    fill(matching(entries, state()));
  };
  const search = make("input", {
    type: "search",
    id: "search",
    placeholder,
    "aria-label": "Filter by text",
    value: state().q ?? "",
    oninput: () => change({ q: search.value }),
    onkeydown: (pressed) => {
      if (pressed.key !== "Escape") return;
      pressed.preventDefault();
      search.value = "";
      change({ q: "" });
    },
  });
  const clear = make(
    "button",
    {
      type: "button",
      id: "clear",
      onclick: () => {
        search.value = "";
        change(NO_FILTER);
        search.focus();
      },
    },
    "Clear the filters",
  );
  const [first, second, ...others] = FILTERS.map((key) => chipsOf(key, entries, change));
  const more = make(
    "details",
    { class: "more" },
    make("summary", {}, "More filters"),
    ...others.filter(Boolean),
  );
  // On a phone these would fill the screen before the list begins.
  more.open = !PHONE.matches || FILTERS.slice(2).some((key) => state()[key]);
  const box = make(
    "div",
    { class: "filters" },
    make("div", { class: "tools" }, search, clear),
    ...[first, second].filter(Boolean),
    more,
  );
  recount(box, entries);
  return box;
}
