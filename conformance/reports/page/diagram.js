// The sequence diagram of one trace, drawn when the case is opened. Text is inserted as text.
const SVG = "http://www.w3.org/2000/svg";
// On a phone the lanes are closer together, so that the whole diagram is visible.
const PHONE = matchMedia("(max-width: 640px)");
// There is only room for two diagrams beside each other on a wide screen.
const TIGHT = matchMedia("(max-width: 960px)");
// The sender of the requests: in a run against a backend it is the kit, which has no application.
const ACTING = ofBackend ? "kit" : "client";
const WIDE = {
  lanes: { application: 90, client: 350, backend: 740 },
  width: 860,
  letter: 6.4,
  cross: 120,
};
const HALF = {
  lanes: { application: 56, client: 226, backend: 474 },
  width: 530,
  letter: 6.4,
  cross: 70,
};
const NARROW = {
  lanes: { application: 50, client: 190, backend: 390 },
  width: 440,
  letter: 7,
  cross: 60,
};
if (ofBackend)
  for (const plan of [WIDE, HALF, NARROW]) {
    const { width } = plan;
    plan.lanes = { kit: width * 0.2, backend: width * 0.8 };
  }
const HEADS = ofBackend ? { kit: "kit (as client)" } : {};
const STEP = 27,
  LINE = 17,
  TOP = 28,
  MOST_DRAWN = 250,
  MOST_LINES = 6,
  MOST_LEVELLED = 30;
const CLEAN = ["eof", "fin"];

const isMain = (mark) => mark !== undefined && mark.tone !== "odd";
const isFault = (event) =>
  event.who === "backend" &&
  event.kind === "ended" &&
  !CLEAN.some((how) => event.text.endsWith(`: ${how}`));

function draw(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function ends(event, lane) {
  switch (event.kind) {
    case "called":
      return [lane.application, lane[ACTING]];
    case "settled":
    case "callbackran":
      return [lane[ACTING], lane.application];
    case "connected":
    case "requested":
      return [lane[ACTING], lane.backend];
    case "responded":
    case "framed":
      return [lane.backend, lane[ACTING]];
    case "ended":
    case "closed":
      return event.who === ACTING
        ? [lane[ACTING], lane.backend]
        : [lane.backend, lane[ACTING]];
    default:
      return null;
  }
}

// The timeline has the full text. A label leaves out data, messages and the query, and also the
// path if space is short, because the label begins with the route.
function label(event, room) {
  const ofApplication = ["settled", "callbackran"].includes(event.kind);
  const plain = ofApplication
    ? event.text.split("  ")[0]
    : event.text.replace(/\s+/g, " ").replace(/\?\S*/, "");
  const tries = [
    plain,
    plain.replace(/ \/\S*/, ""),
    plain.replace(/ \/\S*/, "").replace("Last-Event-ID:", "id"),
  ];
  return (
    tries.find((said) => said.length <= room) ?? `${tries.at(-1).slice(0, Math.max(1, room - 1))}…`
  );
}

// Break a text into lines of at most `room` letters, because SVG does not wrap text.
function linesOf(said, room) {
  const lines = [""];
  for (const word of said
    .split(/\s+/)
    .flatMap((each) => each.match(new RegExp(`.{1,${room}}`, "gu")) ?? [])) {
    const last = lines.at(-1);
    if (last && last.length + 1 + word.length > room) lines.push(word);
    else lines[lines.length - 1] = last ? `${last} ${word}` : word;
  }
  return lines.length > MOST_LINES ? [...lines.slice(0, MOST_LINES), "…"] : lines;
}

function arrow(event, y, [from, to], look, plan) {
  const way = to > from ? 1 : -1,
    part = draw("g", { class: `k-${look}` });
  const dash = ["settled", "callbackran", "responded", "closed", "ended"].includes(event.kind)
    ? " dash"
    : "";
  const stop = isFault(event) ? (from + to) / 2 + way * plan.cross : to;
  part.append(draw("line", { x1: from, x2: stop - way * 3, y1: y, y2: y, class: `arrow${dash}` }));
  if (isFault(event))
    part.append(draw("path", { d: `M${stop - 5} ${y - 5} l10 10 m0 -10 l-10 10`, class: "cross" }));
  else part.append(draw("path", { d: `M${stop} ${y} l${-way * 8} -4 v8 z`, class: "tip" }));
  return part;
}

function lookOf(event, mark) {
  if (mark?.tone === "here") return "wrong";
  if (isFault(event)) return "fault";
  if (["slept", "sleepended", "woken"].includes(event.kind)) return "sleep";
  if (event.kind === "nothing") return "kit";
  if (event.who === ACTING && event.kind !== "noted") return "client";
  return event.kind === "called" || !(event.who in WIDE.lanes) ? "kit" : event.who;
}

// The remarks below an event: what is wrong with it, and its cell in the state table.
function remarks(mark, plan) {
  if (!mark) return [];
  const room = Math.floor((plan.width - 48) / (plan.letter * 1.08));
  return [
    ...linesOf(mark.said.replaceAll("`", ""), room).map((said) => [said, "remark"]),
    ...(mark.cell
      ? linesOf(`cell of the state table: ${mark.cell}`, room).map((said) => [said, "state"])
      : []),
  ];
}

function drawNote(event, y, said, look, plan) {
  const middle = plan.lanes[event.who] ?? plan.lanes[ACTING],
    width = Math.min(320, said.length * plan.letter + 20);
  const x = Math.max(8, Math.min(plan.width - width - 8, middle - width / 2));
  return [
    draw(
      "g",
      { class: `k-${look}` },
      draw("rect", { x, y: y - 15, width, height: 20, rx: 6, class: "note" }),
    ),
    draw("text", { x: x + width / 2, y: y - 1, "text-anchor": "middle" }, said),
  ];
}

function drawEvent(event, y, mark, plan) {
  const part = draw("g", { class: mark?.tone ?? "" }),
    span = ends(event, plan.lanes),
    middle = span ? (span[0] + span[1]) / 2 : (plan.lanes[event.who] ?? plan.lanes[ACTING]),
    below = remarks(mark, plan);
  if (mark)
    part.append(
      draw("rect", {
        x: 6,
        y: y - 18,
        width: plan.width - 12,
        height: STEP + below.length * LINE,
        rx: 6,
        class: "band",
      }),
    );
  const room = span ? Math.abs(span[1] - span[0]) + 12 : 300;
  const said = label(event, Math.floor(room / (mark ? plan.letter * 1.08 : plan.letter)));
  if (span)
    part.append(
      arrow(event, y, span, lookOf(event, mark), plan),
      draw("text", { x: middle, y: y - 5, "text-anchor": "middle", class: "label" }, said),
    );
  else part.append(...drawNote(event, y, said, lookOf(event, mark), plan));
  below.forEach(([line, kind], place) => {
    const half = (line.length * plan.letter * 1.08) / 2 + 14,
      x = Math.max(half, Math.min(plan.width - half, middle));
    part.append(
      draw(
        "text",
        {
          x,
          y: y + (span ? 15 : 20) + place * LINE,
          "text-anchor": "middle",
          class: `label ${kind}`,
        },
        line,
      ),
    );
  });
  part.append(draw("title", {}, `${event.n ?? ""} ${event.who}: ${event.text}`.trim()));
  return part;
}

// The names of the lanes stay visible while the diagram scrolls below them.
function heads(name, plan, titled) {
  const svg = draw("svg", { viewBox: `0 0 ${plan.width} 30`, "aria-hidden": "true" });
  for (const [lane, x] of Object.entries(plan.lanes))
    svg.append(draw("text", { x, y: 20, "text-anchor": "middle", class: "lane" }, HEADS[lane] ?? lane));
  return make("div", { class: "lanes" }, titled ? text("p", "side", name) : null, svg);
}

const heightOf = (event, marks, plan) =>
  (event.left ? STEP : 0) + STEP + remarks(marks.get(event.n), plan).length * LINE;
const gap = (said, y, plan) =>
  draw("text", { x: plan.width / 2, y, "text-anchor": "middle", class: "gap label" }, said);
const planOf = (beside) => {
  if (PHONE.matches) return NARROW;
  return beside && !TIGHT.matches ? HALF : WIDE;
};

// The distance from the top of a diagram to its first difference.
function depthOf(trace, marks, plan) {
  const place = trace.findIndex((event) => isMain(marks.get(event.n)));
  return trace
    .slice(0, Math.max(0, place))
    .reduce((sum, each) => sum + heightOf(each, marks, plan), 0);
}

// The first difference is drawn `depth` below the top, level with that of the other trace.
function figure(name, trace, marks, { plan, depth, titled }) {
  const lead = Math.min(depth - depthOf(trace, marks, plan), STEP * MOST_LEVELLED);
  let y = TOP;
  const drawn = trace.slice(0, MOST_DRAWN).flatMap((event) => {
    const before = event.left ? [gap(leftOutBefore(event), y - 4, plan)] : [],
      mark = marks.get(event.n);
    if (isMain(mark)) y += lead;
    const part = drawEvent(event, y + before.length * STEP, mark, plan);
    y += heightOf(event, marks, plan);
    return [...before, part];
  });
  if (trace.length > MOST_DRAWN) {
    const more = plural(trace.length - MOST_DRAWN, "more event");
    drawn.push(gap(`… ${more} in the timeline …`, y - 4, plan));
    y += STEP;
  }
  const svg = draw("svg", {
    viewBox: `0 0 ${plan.width} ${y}`,
    role: "img",
    "aria-label": `Sequence diagram of ${name.toLowerCase()}; the timeline below gives the same information as text`,
  });
  for (const x of Object.values(plan.lanes))
    svg.append(draw("line", { x1: x, x2: x, y1: 0, y2: y - 6, class: "life" }));
  svg.append(...drawn);
  const narrow = plan === NARROW ? " narrow" : "";
  return make("figure", { class: `figure sheet${narrow}` }, heads(name, plan, titled), svg);
}
