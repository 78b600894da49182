"""What the driver guide says of three parsers is what the kit finds."""

import json
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

import pytest

from tests.conformance.commandline import ROOT, kit
from tests.conformance.npm import installed_adapters

GUIDE: Final = (ROOT / "spec" / "driver-guide.md").read_text("utf-8")
ROWS: Final = {
    name: (version_, int(judged), int(right), rules)
    for name, version_, judged, right, rules in re.findall(
        r"^\| `(\S+)` (\S+) \(\w+\) \| (\d+) \| (\d+) \| (.+?): ", GUIDE, re.MULTILINE
    )
}
NODE: Final = "eventsource-parser"


def check(command: Sequence[str], name: str, folder: Path) -> None:
    _, judged, right, rules = ROWS[name]
    report = folder / "parser.json"
    done = kit("parser", "--chunkings", "2", "--out", str(report), "--", *command)
    assert done.status == 1, done.out + done.err
    found = json.loads(report.read_text("utf-8"))
    passed, failed = len(found["passed"]), len(found["failures"])
    assert (passed + failed, passed) == (judged, right)
    told = re.findall(r"(\*?)(ARK-[A-Z]+-\d+)", rules)
    assert set(found["rules"]["broken"]) == {rule for mark, rule in told if not mark}
    assert set(found["rules"]["broken_but_not_counted"]) == {rule for mark, rule in told if mark}


@pytest.mark.parametrize("name", ["httpx-sse", "sseclient-py"])
def test_a_parser_in_python_gets_wrong_what_the_guide_says(name: str, tmp_path: Path) -> None:
    if version(name) != ROWS[name][0]:
        pytest.skip(f"the guide tells of another version than {version(name)}")
    check((sys.executable, "-P", "-m", "tests.conformance.partial.parsers", name), name, tmp_path)


def test_eventsource_parser_gets_wrong_what_the_guide_says(tmp_path: Path) -> None:
    home = installed_adapters(tmp_path, "eventsource") / "eventsource"
    manifest = json.loads((home / "node_modules" / NODE / "package.json").read_text("utf-8"))
    if manifest["version"] != ROWS[NODE][0]:
        pytest.skip("the guide tells of another version than the one that npm installs")
    check(("node", str(home / "parse.mjs")), NODE, tmp_path)
