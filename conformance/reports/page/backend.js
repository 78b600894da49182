// The parts of the overview that only a run against a backend has.

// The address of the backend, its control program, and the jobs of the run.
function aboutBackend(command) {
  const { address, org, project, followed, jobs } = run.backend,
    words = run.client.capabilities.length;
  return [
    ["Address", make("code", {}, address)],
    ["Project", make("code", {}, `${org}/${project}`)],
    ["Control program", command ? make("code", {}, command) : words ? "the mock's own" : "none"],
    followed ? ["Job followed", make("code", {}, followed)] : ["Jobs created", String(jobs)],
  ];
}

const WAITS = {
  connect_ms: "for a connection to open",
  answer_ms: "for a complete response that is not a stream",
  head_ms: "for the response head of a stream without events (ARK-SRV-20)",
  first_ms: "for the first byte after the response head (ARK-SRV-21)",
  event_ms: "for an event in the log to reach the stream (ARK-SRV-22)",
  silence_ms: "while a stream sends nothing (ARK-SRV-23)",
  end_ms: "from a terminal frame to the end of the response (ARK-SRV-45)",
  known_ms: "until every route knows about a new job (ARK-SRV-4)",
  agrees_ms: "until the job route agrees with the stream (ARK-SRV-46)",
  cancelled_ms: "until a cancelled job has ended (ARK-SRV-48)",
  revoked_ms: "until an open stream ends after its token is revoked (ARK-SRV-16)",
  job_ms: "for a job to end, if the kit cannot finish it itself",
  control_ms: "for an answer from the control program",
};

function bounds() {
  const row = ([name, ms]) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, `${(ms / 1000).toLocaleString("en")} s`),
      make("td", {}, ...waitsFor(WAITS[name] ?? name)),
    );
  return make(
    "div",
    { class: "sheet scroll" },
    make(
      "table",
      { class: "bounds" },
      make(
        "thead",
        {},
        make("tr", {}, make("th", { scope: "col" }, "At most"), make("th", { scope: "col" }, "The kit waits")),
      ),
      make("tbody", {}, ...Object.entries(run.bounds).map(row)),
    ),
  );
}

// Rule ids in a text link to the text of their rule.
function waitsFor(said) {
  const [before, rule, after] = said.split(/(ARK-SRV-\d+)/);
  return rule ? [before, ruleLink(rule), after] : [said];
}

// The commands of the control program, and the time limits of the kit.
function theBackend() {
  const words = run.client.capabilities;
  return [
    make("h2", {}, "The control program"),
    make(
      "p",
      {},
      ...(words.length
        ? ["Its commands: ", make("code", {}, words.join(", "))]
        : ["Without commands from a control program, the kit could do only what any client can."]),
    ),
    make("h2", {}, "How long the kit waits"),
    bounds(),
  ];
}
