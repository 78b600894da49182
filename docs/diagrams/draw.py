"""Draw the Mermaid diagrams of the specification: `draw.py node_modules/mermaid/dist/mermaid.min.js`.

It needs `npm install mermaid` and Chromium; the colours become those of the page, light or dark.
To draw a diagram again, remove its drawing first.
"""

import html
import json
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "extensions"))

from drawings import name_of  # noqa: E402 - the folder beside this one

COLOURS = {
    "#010101": "var(--color-foreground-primary)",
    "#020202": "var(--color-background-secondary)",
    "#030303": "var(--color-foreground-muted)",
    "#040404": "var(--color-background-primary)",
    "#050505": "var(--color-admonition-background, var(--color-background-hover))",
}
"""What each colour of the drawing is on the page."""
TEXT, BOX, LINE, PAGE, NOTE = COLOURS
SETTINGS = {
    "startOnLoad": False,
    "theme": "base",
    "fontFamily": "Arial, Helvetica, sans-serif",
    "themeVariables": {
        **dict.fromkeys(("textColor", "primaryTextColor", "lineColor", "actorTextColor"), TEXT),
        **dict.fromkeys(("noteTextColor", "signalColor", "signalTextColor", "labelColor"), TEXT),
        **dict.fromkeys(("loopTextColor", "labelTextColor", "stateLabelColor"), TEXT),
        **dict.fromkeys(("transitionLabelColor", "specialStateColor"), TEXT),
        **dict.fromkeys(
            ("primaryColor", "mainBkg", "actorBkg", "stateBkg", "labelBoxBkgColor"), BOX
        ),
        **dict.fromkeys(
            ("primaryBorderColor", "actorBorder", "actorLineColor", "nodeBorder"), LINE
        ),
        **dict.fromkeys(("stateBorder", "labelBoxBorderColor", "noteBorderColor"), LINE),
        **dict.fromkeys(("transitionColor", "sequenceNumberColor", "innerEndBackground"), LINE),
        **dict.fromkeys(("background", "edgeLabelBackground", "labelBackgroundColor"), PAGE),
        **dict.fromkeys(("noteBkgColor", "activationBkgColor", "altBackground"), NOTE),
    },
}
DIAGRAM = re.compile(r"^```mermaid\n(.*?)^```", re.MULTILINE | re.DOTALL)
WIDTH = re.compile(r"max-width: ([0-9.]+)px;")
SCRIPT = """
// Mermaid may put a label beside its arrow, or on top of another. Move each one along its own arrow, to
// the place nearest to the middle where it covers no state, no other label and no other arrow.
function arranged(svg) {
  const box = document.createElement("div");
  box.innerHTML = svg;
  document.body.append(box);
  const along = (path, share) => path.getPointAtLength(path.getTotalLength() * share);
  const all = (selector) => [...box.querySelectorAll(selector)];
  const labels = all(".edgeLabels > .edgeLabel").filter((label) => label.textContent.trim());
  const edges = all(".edgePaths > path");
  const named = ({ dataset }) => edges.find((edge) => edge.dataset.id === dataset.id);
  const paths = labels.map((label) => named(label.querySelector("[data-id]")));
  const turns = (path) => {
    const [start, end] = [along(path, 0), along(path, 1)];
    return Math.hypot(end.x - start.x, end.y - start.y) < 40;
  };
  const area = (node, margin) => {
    const { left, right, top, bottom } = node.getBoundingClientRect();
    return [left - margin, right + margin, top - margin, bottom + margin];
  };
  const meet = (a, b) => a[0] < b[1] && b[0] < a[1] && a[2] < b[3] && b[2] < a[3];
  const states = all(".node").map((node) => area(node, 3));
  const steps = Array.from({ length: 101 }, (_, step) => step / 100);
  const lines = edges.map((edge) => {
    const shift = edge.getScreenCTM();
    return steps.map((step) => along(edge, step).matrixTransform(shift));
  });
  const cost = (index) => {
    const own = area(labels[index], 3);
    const near = (other, at) => at !== index && meet(own, area(other, 3));
    const crossed = (line, at) =>
      edges[at] !== paths[index] && line.some(({ x, y }) => meet(own, [x, x, y, y]));
    return 9 * states.filter((state) => meet(own, state)).length
      + 9 * labels.filter(near).length + 3 * lines.filter(crossed).length;
  };
  for (let round = 0; round < 3; round += 1)
    labels.forEach((label, index) => {
      if (turns(paths[index])) return; // an arrow from a state to itself has its label beside it
      const put = (share) => {
        const { x, y } = along(paths[index], share);
        label.setAttribute("transform", `translate(${x.toFixed(2)}, ${y.toFixed(2)})`);
      };
      const tried = steps.slice(15, 86).map((share) => {
        put(share);
        return [cost(index) + Math.abs(share - 0.5), share];
      });
      put(tried.reduce((best, each) => (each[0] < best[0] ? each : best))[1]);
    });
  const drawn = box.innerHTML;
  box.remove();
  return drawn;
}
(async () => {
  mermaid.initialize(SETTINGS);
  const drawn = [];
  for (const [index, text] of DIAGRAMS.entries())
    drawn.push(arranged((await mermaid.render("diagram-" + NAMES[index].slice(0, 8), text)).svg));
  document.body.textContent = "DRAWN" + JSON.stringify(drawn) + "DRAWN";
})();
"""


def readable(width: re.Match[str]) -> str:
    """Let a drawing be scrolled where it would shrink to less than three quarters."""
    return f"{width[0]} min-width: {float(width[1]) * 0.75:.0f}px;"


def main() -> None:
    """Draw every diagram that has no drawing yet, and remove the drawings that no diagram has."""
    library = "".join(sys.argv[1:2])
    if not Path(library).is_file():
        sys.exit(__doc__)
    files = sorted((HERE.parents[1] / "spec").glob("*.md"))
    texts = [each for file in files for each in DIAGRAM.findall(file.read_text("utf-8"))]
    known = {name_of(each) for each in texts}
    found = [each for each in texts if not (HERE / name_of(each)).exists()]
    names = [name_of(each) for each in found]
    values = {"SETTINGS": SETTINGS, "DIAGRAMS": found, "NAMES": names}
    data = "".join(f"const {name} = {json.dumps(value)};" for name, value in values.items())
    with TemporaryDirectory() as folder:
        page = Path(folder, "page.html")
        source = Path(library).resolve().as_uri()
        page.write_text(
            f'<meta charset="utf-8"><body><script src="{source}"></script>'
            f"<script>{data}{SCRIPT}</script>",
            "utf-8",
        )
        options = ("--headless", "--no-sandbox", "--virtual-time-budget=60000", "--dump-dom")
        done = subprocess.run(  # noqa: S603 - with our own page
            ["chromium", *options, page.as_uri()],  # noqa: S607 - wherever it is installed
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
    drawn = json.loads(html.unescape(done.stdout).split("DRAWN")[1])
    for old in HERE.glob("*.svg"):
        if old.name not in known:
            old.unlink()
    for name, svg in zip(names, drawn, strict=True):
        coloured = re.sub("#0[1-5]0[1-5]0[1-5]", lambda found: COLOURS[found[0]], svg)
        (HERE / name).write_text(WIDTH.sub(readable, coloured, count=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
