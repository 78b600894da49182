// Shows the view that the fragment names, and switches between light and dark.
let shown = null;
const KEYS = {
  case: [
    ["←", "previous"],
    ["→", "next"],
    ["Esc", "back to the list"],
  ],
  cases: [
    ["/", "filter"],
    ["Esc", "clear the filter"],
  ],
  requirements: [
    ["/", "filter"],
    ["Esc", "clear the filter"],
  ],
};
const DOES = {
  "/": "#search",
  ArrowLeft: "[rel=prev]",
  ArrowRight: "[rel=next]",
  Escape: "[rel=up]",
};
function show() {
  const now = state(),
    result =
      now.case && run.results.find((each) => each.name === now.case || each.case === now.case);
  const view = result
    ? "case"
    : ["cases", "requirements"].includes(now.view)
      ? now.view
      : "overview";
  byId("views").replaceChildren(
    ...[
      ["overview", "Overview"],
      ["requirements", "Requirements"],
      ["cases", "Cases"],
    ].map(([name, said]) =>
      make(
        "a",
        {
          href: link({
            view: name,
            ...(name === "cases" ? {} : NO_FILTER),
            case: "",
            rule: "",
            beside: "",
          }),
          "aria-current": (name === view || (name === "cases" && view === "case")) && "page",
        },
        said,
      ),
    ),
  );
  const parts =
    view === "case"
      ? oneCase(result)
      : view === "cases"
        ? caseList()
        : view === "requirements"
          ? requirements()
          : overview();
  if (now.case && !result)
    parts.unshift(
      make("p", { role: "alert" }, "This run has no case ", make("code", {}, now.case), "."),
    );
  byId("main").replaceChildren(
    ...parts,
    make(
      "footer",
      { class: "foot" },
      `arkor-conformance ${run.kit} · ${run.specification.said}`,
      KEYS[view]
        ? make(
            "p",
            {},
            "Keys: ",
            ...KEYS[view].flatMap(([key, does]) => [make("kbd", {}, key), ` ${does}  `]),
          )
        : null,
    ),
  );
  document.title = `${result ? result.name : `${run.client.implementation} ${run.client.version}`} · Arkor conformance`;
  if (shown !== null) {
    scrollTo({ top: 0, behavior: "instant" });
    byId("main").focus({ preventScroll: true });
  }
  if (view === "requirements" && now.rule) reach(`rule-${now.rule}`);
  shown = view;
}

// Content far from the viewport is laid out only when it comes near, which moves what is below.
function reach(id, frames = 5) {
  byId(id)?.scrollIntoView({ behavior: "instant" });
  if (frames) requestAnimationFrame(() => reach(id, frames - 1));
}

function redraw() {
  shown = null; // So that it does not scroll.
  show();
}

const dark = matchMedia("(prefers-color-scheme: dark)");
const stored = () => {
  try {
    return localStorage.getItem("theme");
  } catch {
    return null;
  }
};
const paint = (theme) => {
  document.documentElement.dataset.theme = theme ?? (dark.matches ? "dark" : "light");
};
byId("theme").addEventListener("click", () => {
  const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("theme", next);
  } catch {
    /* without storage, the choice lasts until the page is closed */
  }
  paint(next);
});
dark.addEventListener("change", () => paint(stored()));
paint(stored());
if (broken) document.querySelector(".mark").classList.add("bad");
for (const width of [PHONE, TIGHT]) width.addEventListener("change", redraw);
addEventListener("keydown", (pressed) => {
  if (pressed.ctrlKey || pressed.altKey || pressed.metaKey || pressed.target.closest("input"))
    return;
  const found = document.querySelector(DOES[pressed.key] ?? "none");
  if (!found) return;
  pressed.preventDefault();
  if (found.id === "search") found.focus();
  else found.click();
});
addEventListener("hashchange", () => {
  if (location.hash !== "#main") show();
});
show();
