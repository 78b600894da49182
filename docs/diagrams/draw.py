"""Draw the Mermaid diagrams of the specification: `draw.py node_modules/mermaid/dist/mermaid.min.js`.

It needs `npm install mermaid` and Chromium; the colours become those of the page, light or dark.
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
(async () => {
  mermaid.initialize(SETTINGS);
  const drawn = [];
  for (const [index, text] of DIAGRAMS.entries())
    drawn.push((await mermaid.render("diagram-" + NAMES[index].slice(0, 8), text)).svg);
  document.body.textContent = "DRAWN" + JSON.stringify(drawn) + "DRAWN";
})();
"""


def readable(width: re.Match[str]) -> str:
    """Let a drawing be scrolled where it would shrink to less than three quarters."""
    return f"{width[0]} min-width: {float(width[1]) * 0.75:.0f}px;"


def main() -> None:
    """Draw every diagram, and remove the drawings that no diagram has."""
    [library] = sys.argv[1:]
    files = sorted((HERE.parents[1] / "spec").glob("*.md"))
    found = [each for file in files for each in DIAGRAM.findall(file.read_text("utf-8"))]
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
        old.unlink()
    for name, svg in zip(names, drawn, strict=True):
        coloured = re.sub("#0[1-5]0[1-5]0[1-5]", lambda found: COLOURS[found[0]], svg)
        (HERE / name).write_text(WIDTH.sub(readable, coloured, count=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
