// The traces of one case as text: the client's and, on demand, the reference's beside it.

// The remark at the event at which a case goes wrong.
function wrongIn({ begins, findings: [finding] }) {
  return ofBackend ? `expected ${finding.expected}; got ${finding.actual}` : begins.said;
}

// The marks of a trace by event number: a tone, a remark, and a cell of the state table. A client
// that does nothing more is marked at an extra event without a number.
function marksOf(result) {
  const client = new Map(),
    reference = new Map(),
    { begins } = result;
  for (const finding of result.findings)
    if (finding.event !== null)
      client.set(finding.event, { tone: "odd", said: `${finding.assertion}: not as expected` });
  if (begins && (begins.client || result.here !== null))
    client.set(result.here, { tone: "here", said: wrongIn(result), cell: begins.client?.cell });
  else if (client.has(result.here)) client.get(result.here).tone = "here";
  if (begins?.client)
    reference.set(begins.reference.event, {
      tone: "there",
      said: "the first step that differs",
      cell: begins.reference.cell,
    });
  return { client, reference };
}

// A trace in which each event has the number of events left out before it. An extra event "does
// nothing more" is added where the kit closes the case.
function markedTrace(whose, marks) {
  const trace = traceOf(whose);
  trace.forEach((event, place) => {
    event.left = event.n - (place ? trace[place - 1].n : 0) - 1;
  });
  if (!marks.has(null)) return trace;
  const closing = trace.findIndex((each) => each.kind === "called" && each.text === "calls close"),
    place = closing < 0 ? trace.length : closing;
  const nothing = { n: null, who: ACTING, kind: "nothing", text: "does nothing more" };
  return [...trace.slice(0, place), nothing, ...trace.slice(place)];
}

const leftOutBefore = (event) => `… ${plural(event.left, "event")} left out …`;

function whole(event) {
  return make(
    "details",
    {},
    make("summary", {}, event.kind === "requested" ? "the whole request" : "the full text"),
    make("pre", {}, event.detail),
  );
}

function timelineRow(event, mark) {
  return make(
    "li",
    {
      class: [mark?.tone ?? "", isFault(event) ? "fault" : ""].join(" ").trim(),
      "data-who": event.who,
    },
    text("span", "n", event.n === null ? "" : String(event.n)),
    text("span", "at", event.n === null ? "" : `${event.ms.toFixed(1)} ms`),
    text("span", "who", event.who),
    make(
      "span",
      { class: "what" },
      event.text,
      mark ? text("span", "flag", ...prose(mark.said)) : null,
      mark?.cell ? text("span", "cell", mark.cell) : null,
      event.detail ? whole(event) : null,
    ),
  );
}

function timeline(trace, marks, said) {
  const rows = trace.flatMap((event) => {
    const row = timelineRow(event, marks.get(event.n));
    return event.left ? [text("li", "gap", leftOutBefore(event)), row] : [row];
  });
  return make("ol", { class: "sheet events", "aria-label": said }, ...rows);
}

// The diagrams and the timelines: the client's and, if requested, the reference's.
function traces(sides) {
  const beside = sides.length > 1,
    plan = planOf(beside),
    depths = sides.map(([, trace, marks]) => depthOf(trace, marks, plan));
  const figures = sides.map(([name, trace, marks], place) =>
    figure(name, trace, marks, {
      plan,
      depth: plan === HALF ? Math.max(...depths) : depths[place],
      titled: beside,
    }),
  );
  const lists = sides.map(([name, trace, marks]) => {
    const list = timeline(trace, marks, `Timeline of ${name.toLowerCase()}`);
    return beside ? make("section", {}, make("h3", {}, name), list) : list;
  });
  const kind = beside ? "beside" : "";
  return [
    make("div", { class: kind }, ...figures),
    make("h2", {}, "Timeline"),
    make("div", { class: kind }, ...lists),
  ];
}

function whatHappened(result) {
  const marks = marksOf(result),
    beside = result.reference !== null && state().beside === "1",
    sides = [[ofBackend ? "The case" : "The client", markedTrace(result, marks.client), marks.client]];
  if (beside)
    sides.push(["The reference", markedTrace(result.reference, marks.reference), marks.reference]);
  const drawn = traces(sides);
  const toggle = make(
    "button",
    {
      type: "button",
      id: "beside",
      "aria-pressed": String(beside),
      onclick: () => {
        history.replaceState(null, "", link({ beside: beside ? "" : "1" }));
        redraw();
        byId("beside").focus({ preventScroll: true });
      },
    },
    "Show the reference alongside",
  );
  const first = drawn[0].querySelector(".here");
  const jump = make(
    "button",
    { type: "button", id: "jump", onclick: () => first.scrollIntoView({ block: "center" }) },
    result.begins?.client ? "Go to the first difference" : "Go to the failure",
  );
  return [
    make(
      "div",
      { class: "happened" },
      make("h2", {}, "What happened"),
      first && jump,
      result.reference && toggle,
    ),
    ...drawn,
  ];
}
