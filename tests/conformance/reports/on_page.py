"""What the tests of the page open, and what they look at: expressions in JavaScript."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from conformance.reports import write_run
from conformance.strict_data import Json

MAIN: Final = "document.querySelector('main').innerText"
"""The text that can be seen."""
PALE: Final = """
(() => {
  const light = (colour) => {
    const parts = colour.map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const read = (said) => said.match(/[\\d.]+/g).map(Number);
  const behind = (node) => {
    for (let each = node; each; each = each.parentElement) {
      const colour = read(getComputedStyle(each).backgroundColor);
      if ((colour[3] ?? 1) === 1) return colour.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const own = (node) => [...node.childNodes].some((each) => each.nodeType === 3 && each.data.trim());
  return [...document.querySelectorAll("main *")].filter((node) => {
    if (!own(node) || node.closest("svg, option") || !node.getClientRects().length) return false;
    const [a, b] = [read(getComputedStyle(node).color).slice(0, 3), behind(node)].map(light);
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
  }).map((node) => `${node.className}: ${node.textContent}`).join("; ");
})()
"""
"""The texts that do not stand out from their ground; empty if all do."""
CHIPS: Final = """
(() => {
  const rows = () => document.querySelectorAll("[data-case], .rule").length;
  return [...document.querySelectorAll("[data-filter]:not(:disabled)")].filter((chip) => {
    const said = Number(chip.querySelector(".count").textContent), pressed = () => chip.ariaPressed;
    if (pressed() === "true") return said !== rows();
    const other = document.querySelector(
      `[data-filter^="${chip.dataset.filter.split("=")[0]}="][aria-pressed="true"]`);
    chip.click();
    const wrong = pressed() !== "true" || said !== rows();
    (other ?? chip).click();
    return wrong || pressed() !== "false";
  }).map((chip) => chip.textContent).join("; ");
})()
"""
"""The chips whose count is not the number of rows that they leave; empty if all are right."""


def written(folder: Path, run: Mapping[str, Json]) -> str:
    """Write the page of a run; return its address."""
    file = folder / "report.html"
    write_run([file], run)
    return file.as_uri()
