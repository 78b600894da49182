"""Text from a client never controls the terminal: every byte of every output is checked."""

import json
import re
import sys
import unicodedata
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import pytest

from conformance.plain import cut, one_line, seen, visible
from tests.conformance.commandline import ROOT, kit

BETWEEN: Final = Path(__file__).parents[1] / "wrong_drivers" / "between.py"
REFERENCE: Final = (sys.executable, "-P", "-m", "conformance.drivers.python.reference")
FAILS: Final = (sys.executable, str(BETWEEN), "hostile:fails", *REFERENCE)
SAYS: Final = (sys.executable, str(BETWEEN), "hostile:says", *REFERENCE)
CASES: Final = ("--case", "create.accepted", "--case", "cancel.sends-one-request")
SMALL: Final = (*CASES, "--profile", "2026-05", "--patience", "2")
SCREENS: Final = {
    "run": ("run", *SMALL, "--", *FAILS),
    "run-ok": ("run", *SMALL, "--", *SAYS),
    "smoke": ("smoke", "--", *FAILS),
    "explore": ("explore", "--schedules", "1", "--no-shrink", "--out", "{out}", "--", *FAILS),
    "diff": (
        "diff",
        " ".join(FAILS),
        " ".join(REFERENCE),
        "--schedules",
        "1",
        "--no-shrink",
        "--out",
        "{out}",
    ),
    "no-such-case": ("run", "--case", "x\x1b[31m\u202e"),
    "no-such-filter": ("list", "--filter", "x\x1b[31m\u202e"),
    "no-such-file": ("run", "--file", "x\x1b[31m\u202e.toml"),
    "show": ("show", "x\x1b[31m\u202e"),
    "dead": ("run", *SMALL, "--", sys.executable, "-c", "print('\\x1b[31m\\x9b\\u202e\\x07')"),
    "no-driver": ("run", *SMALL, "--", "./no\x1b[31m\u202e"),
    "mutants": ("mutants", "--mutant", "x\x1b[31m\u202e"),
}
LONG: Final = ("run-ok", "explore")
_BAD: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Cn"})


def harmful(text: str) -> list[str]:
    """Return every character that could control the terminal or mislead the reader."""
    return sorted({ascii(c) for c in text if c not in "\n\t" and unicodedata.category(c) in _BAD})


def printed(*arguments: str) -> tuple[int, str]:
    """Run the kit; return its status and everything that it printed on both streams."""
    done = kit(*arguments)
    return done.status, done.out + done.err


@pytest.mark.parametrize(
    "screen",
    [pytest.param(name, marks=pytest.mark.thorough if name in LONG else ()) for name in SCREENS],
)
def test_no_control_byte_of_a_client_reaches_the_terminal(screen: str, tmp_path: Path) -> None:
    out = str(tmp_path / "found.toml")
    status, text = printed(*(each.replace("{out}", out) for each in SCREENS[screen]))
    assert (harmful(text), "Traceback" in text, bool(text)) == ([], False, True), (status, text)


def test_no_control_byte_of_a_client_reaches_a_report(tmp_path: Path) -> None:
    printed("run", *SMALL, "--report", str(tmp_path / "r"), "--", *FAILS)
    found = {path.name: path.read_bytes().decode() for path in (tmp_path / "r").iterdir()}
    assert {name: harmful(text) for name, text in found.items() if harmful(text)} == {}
    assert len(found) > 1
    ET.fromstring(found["junit.xml"])  # noqa: S314 - our own file
    assert json.loads(found["run.json"])["client"]["version"].startswith("\x1b")


@pytest.mark.thorough
def test_a_client_cannot_add_a_line_to_the_table() -> None:
    _, text = printed("run", *SMALL, "--", *FAILS)
    assert [line for line in text.splitlines() if line.startswith("2026-05  CONFORMS")] == []


@pytest.mark.parametrize(
    ("character", "spelled"),
    [
        ("\x1b", "\\u001b"),
        ("\x9b", "\\u009b"),
        ("\r", "\\u000d"),
        ("\u2028", "\\u2028"),
        ("\ud800", "\\ud800"),
        ("\u200b", "\\u200b"),
        ("\u3164", "\\u3164"),
        ("\ufe0f", "\\ufe0f"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_cannot_be_seen_is_spelled_out(character: str, spelled: str) -> None:
    assert visible(f"a{character}b") == f"a{spelled}b"


@pytest.mark.parametrize("text", ["plain", "two\nlines\tand a tab", "naïve ✓ 日本"])
def test_what_can_be_seen_stays(text: str) -> None:
    assert visible(text) == text


def test_keys_are_made_visible_as_well() -> None:
    assert seen({"a\x1b": ["\x07", 1, None]}) == {"a\\u001b": ["\\u0007", 1, None]}


def test_one_line_has_no_line_feed() -> None:
    assert one_line("a\nb\r\nc") == "a b\\u000d c"


def test_a_long_line_keeps_its_end() -> None:
    shown = cut("x" * 300 + "the end", 100)
    assert (len(shown) <= 100, shown.endswith("the end"), " … " in shown) == (True, True, True)


def test_every_command_prints_through_what_spells_out_control_bytes() -> None:
    folder = ROOT / "conformance"
    printing = re.compile(r"click\.s?echo\(|click\.secho\(|(?<![.\w])print\(|(?<!\w)Console\(")
    files = [folder / "__main__.py", *(folder / "commands").glob("*.py")]
    found = [path.stem for path in files if printing.search(path.read_text("utf-8"))]
    assert (found, len(files) > 5) == ([], True)
