"""Case files: refused in plain words, or cases that survive being written."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from conformance.casefile.loader import CASES, load_files, read_case, read_case_file
from conformance.casefile.model import Case
from conformance.casefile.requirements import load_requirements
from mock_server.strict.shapes import ScenarioError
from mock_server.strict.toml import toml_value
from tests.fuzz.targets.files import read_file

LONGEST: Final = 2048
_SHORT: Final = 550
"""Longer cases say the same in more words."""
TOKENS: Final = (
    *(b"[[case]]\n", b"id = ", b"requires = ", b"level = ", b"why = ", b"needs = ", b"[config]\n"),
    *(b"[[server.stream]]\n", b"[[server.scenario.rule]]\n", b"[[step]]\n", b"[expect]\n"),
    *(b"do = ", b"after = ", b"event = ", b"until", b"ms = ", b"wake", b"push", b"gate", b"cites."),
    *(b"[[case.table]]\n", b"{row}", b"matrix", b"for", b"premise", b"applies", b"hold", b"since"),
    *(b"ARK-BUD-1", b'"start"', b'"wait"', b'"MUST"', b"connects = 1", b"true", b" = ", b"[]"),
    *(b"inf", b"nan", b"-1", b"1e400", b"1979-05-27", b"{", b"}", b"[", b"]", b"\xff", b'"'),
)
_CASE: Final = re.compile(r"^\[\[case\]\]\n.*?(?=^\[\[case\]\]|\Z)", re.MULTILINE | re.DOTALL)
_KNOWN: Final = load_requirements()


def target(data: bytes) -> None:
    """Read `data` as a case file; raise where it is not refused and not kept as it is."""
    for case in read_file("case.toml", data, _cases) or ():
        again = read_case("again", case.source, _KNOWN)
        assert again == case, f"{case} was read again as {again}"
        try:
            written = "".join(f"{k} = {toml_value(v)}\n" for k, v in case.source.items())
        except ScenarioError:  # the rows of a template can have a null, which TOML does not have
            continue
        found = read_case_file("written", written, _KNOWN)
        assert found == (case,), f"{case} was written as {written!r} and read as {found}"


def _cases(path: Path) -> tuple[Case, ...]:
    return load_files(_KNOWN, [path])


def seeds() -> Iterator[bytes]:
    """Yield the shorter cases of the kit, one in a file."""
    for path in sorted(CASES.glob("*.toml")):
        for text in _CASE.findall(path.read_text("utf-8")):
            if len(text) <= _SHORT:
                yield text.encode()
