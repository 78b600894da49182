// The sequence diagram of one case, drawn when the case is opened. Text is inserted as text.
const SVG = "http://www.w3.org/2000/svg";
// On a phone the lanes are closer together, so that the whole diagram is visible.
const PHONE = matchMedia("(max-width: 640px)");
const WIDE = {
  lanes: { application: 90, client: 350, backend: 740 },
  width: 860,
  letter: 6.4,
  cross: 120,
};
const NARROW = {
  lanes: { application: 50, client: 190, backend: 390 },
  width: 440,
  letter: 7,
  cross: 60,
};
const STEP = 27,
  TOP = 54,
  MOST_DRAWN = 160;
const CLEAN = ["eof", "fin"];

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
      return [lane.application, lane.client];
    case "settled":
    case "callbackran":
      return [lane.client, lane.application];
    case "connected":
    case "requested":
      return [lane.client, lane.backend];
    case "responded":
    case "framed":
      return [lane.backend, lane.client];
    case "ended":
    case "closed":
      return event.who === "client" ? [lane.client, lane.backend] : [lane.backend, lane.client];
    default:
      return null;
  }
}

// The timeline has the full text. A label leaves out data, messages and the query, and the path too
// if there is no room for it, because the label begins with the route.
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

function lookOf(event) {
  if (isFault(event)) return "fault";
  if (["slept", "sleepended", "woken"].includes(event.kind)) return "sleep";
  return event.kind === "called" || !(event.who in WIDE.lanes) ? "kit" : event.who;
}

function drawEvent(event, y, here, plan) {
  const part = draw("g", {}),
    span = ends(event, plan.lanes),
    tone = here ? " here-text" : "";
  if (here)
    part.append(
      draw("rect", {
        x: 6,
        y: y - 18,
        width: plan.width - 12,
        height: STEP,
        rx: 6,
        class: "here-band",
      }),
    );
  const room = span ? Math.abs(span[1] - span[0]) + 12 : 300;
  const said = label(event, Math.floor(room / (here ? plan.letter * 1.08 : plan.letter)));
  if (span) {
    part.append(
      arrow(event, y, span, lookOf(event), plan),
      draw(
        "text",
        { x: (span[0] + span[1]) / 2, y: y - 5, "text-anchor": "middle", class: `label${tone}` },
        said,
      ),
    );
  } else {
    const middle = plan.lanes[event.who] ?? plan.lanes.client,
      width = Math.min(320, said.length * plan.letter + 20);
    const x = Math.max(8, Math.min(plan.width - width - 8, middle - width / 2));
    part.append(
      draw(
        "g",
        { class: `k-${lookOf(event)}` },
        draw("rect", { x, y: y - 15, width, height: 20, rx: 6, class: "note" }),
      ),
      draw(
        "text",
        { x: x + width / 2, y: y - 1, "text-anchor": "middle", class: tone.trim() },
        said,
      ),
    );
  }
  part.append(draw("title", {}, `${event.n} ${event.who}: ${event.text}`));
  return part;
}

function diagram(trace, here) {
  const plan = PHONE.matches ? NARROW : WIDE;
  const drawn = trace.slice(0, MOST_DRAWN),
    height = TOP + drawn.length * STEP + 16;
  const svg = draw("svg", {
    viewBox: `0 0 ${plan.width} ${height}`,
    class: PHONE.matches ? "narrow" : "",
    role: "img",
    "aria-label": "Sequence diagram; the timeline has the same content as text",
  });
  for (const [lane, x] of Object.entries(plan.lanes)) {
    svg.append(
      draw("text", { x, y: 24, "text-anchor": "middle", class: "lane" }, lane),
      draw("line", { x1: x, x2: x, y1: 34, y2: height - 6, class: "life" }),
    );
  }
  drawn.forEach((event, place) =>
    svg.append(drawEvent(event, TOP + place * STEP + 10, here.has(event.n), plan)),
  );
  return svg;
}
