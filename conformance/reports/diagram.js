// The sequence diagram of one case. Drawn only when the case is opened; text goes in as text.
const SVG = "http://www.w3.org/2000/svg";
// On a phone the lanes move together, rather than that half of the picture is out of sight.
const NARROW = matchMedia("(max-width: 640px)").matches;
const LANES = NARROW ? { application: 48, client: 176, backend: 392 } : { application: 90, client: 350, backend: 740 };
const WIDTH = NARROW ? 440 : 860, STEP = 27, TOP = 54, MOST_DRAWN = 160;
const CLEAN = ["eof", "fin"];

const isFault = (event) => event.who === "backend" && event.kind === "ended" && !CLEAN.some((how) => event.text.endsWith(`: ${how}`));

function draw(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function ends(event) {
  const lane = LANES;
  switch (event.kind) {
    case "called": return [lane.application, lane.client];
    case "settled": case "callbackran": return [lane.client, lane.application];
    case "connected": case "requested": return [lane.client, lane.backend];
    case "responded": case "framed": return [lane.backend, lane.client];
    case "ended": case "closed": return event.who === "client" ? [lane.client, lane.backend] : [lane.backend, lane.client];
    default: return null;
  }
}

const clipped = (text, room) => (text.length > room ? `${text.slice(0, Math.max(1, room - 1))}…` : text);

function arrow(event, y, [from, to], look) {
  const way = to > from ? 1 : -1, part = draw("g", { class: `k-${look}` });
  const dash = ["settled", "callbackran", "responded", "closed", "ended"].includes(event.kind) ? " dash" : "";
  const stop = isFault(event) ? (from + to) / 2 + way * (NARROW ? 60 : 120) : to;
  part.append(draw("line", { x1: from, x2: stop - way * 3, y1: y, y2: y, class: `arrow${dash}` }));
  if (isFault(event)) part.append(draw("path", { d: `M${stop - 5} ${y - 5} l10 10 m0 -10 l-10 10`, class: "cross" }));
  else part.append(draw("path", { d: `M${stop} ${y} l${-way * 8} -4 v8 z`, class: "tip" }));
  return part;
}

function drawEvent(event, y, here) {
  const look = isFault(event) ? "fault" : event.kind === "called" ? "kit" : ["slept", "sleepended", "woken"].includes(event.kind) ? "sleep" : event.who in LANES ? event.who : "kit";
  const part = draw("g", {}), span = ends(event);
  if (here) part.append(draw("rect", { x: 6, y: y - 18, width: WIDTH - 12, height: STEP, rx: 6, class: "here-band" }));
  const said = clipped(event.text.replace(/\?\S*/, ""), span ? Math.floor(Math.abs(span[1] - span[0]) / (here ? 7 : 6.4)) : 44);
  const title = draw("title", {}, `${event.n} ${event.who}: ${event.text}`);
  const tone = here ? " here-text" : "";
  if (span) {
    part.append(arrow(event, y, span, look), draw("text", { x: (span[0] + span[1]) / 2, y: y - 5, "text-anchor": "middle", class: `label${tone}` }, said));
  } else {
    const middle = LANES[event.who] ?? LANES.client, width = Math.min(300, said.length * 6.4 + 20);
    const x = Math.max(8, Math.min(WIDTH - width - 8, middle - width / 2));
    part.append(draw("g", { class: `k-${look}` }, draw("rect", { x, y: y - 15, width, height: 20, rx: 6, class: "note" })), draw("text", { x: x + width / 2, y: y - 1, "text-anchor": "middle", class: tone.trim() }, said));
  }
  part.append(title);
  return part;
}

function diagram(trace, here) {
  const shown = trace.slice(0, MOST_DRAWN), height = TOP + shown.length * STEP + 16;
  const svg = draw("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": "Sequence diagram; the timeline tells the same in words" });
  for (const [lane, x] of Object.entries(LANES)) {
    svg.append(draw("text", { x, y: 24, "text-anchor": "middle", class: "lane" }, lane), draw("line", { x1: x, x2: x, y1: 34, y2: height - 6, class: "life" }));
  }
  shown.forEach((event, place) => svg.append(drawEvent(event, TOP + place * STEP + 10, here.has(event.n))));
  return svg;
}
