"""Scenario files, TOML or JSON: refused in plain words, or a scenario that survives being written."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import conformance.load
import mock_server
from mock_server import MockServer
from mock_server.scenario.explain import explain
from mock_server.scenario.files import (
    scenario_from_file,
    scenario_from_json,
    scenario_from_toml,
    scenario_to_dict,
    scenario_to_toml,
)
from mock_server.scenario.model import Scenario
from mock_server.scenario.rule import FAULTS
from mock_server.strict.shapes import ScenarioError
from tests.fuzz.targets.files import read_file

LONGEST: Final = 2048
_BEGIN: Final = "schema = 1\n"
_SHIPPED: Final = Path(conformance.load.__file__).with_name("faults.toml")
_GUIDE: Final = Path(mock_server.__file__).with_name("GUIDE.md")
_EXAMPLE: Final = re.compile(r"^```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)
TOKENS: Final = (
    *(b"schema = 1\n", b"[[rule]]\n", b"[[job]]\n", b"[backend]\n", b"[limits]\n", b"on = {"),
    *(b'"stream"', b'"create"', b"route = ", b"attempt = ", b"true", b"false", b" = ", b"{}"),
    *(b"[]", b"inf", b"nan", b"-1", b"0x10", b"1e400", b"1979-05-27", b'"""', b"'", b"#"),
    *(b"{", b"}", b"[", b"]", b'{"schema":1', b'"rule":[{', b"\\ud800", b"\x7f", b"\xff"),
    *(f"{name} = ".encode() for name in FAULTS),
)


def target(data: bytes) -> None:
    """Read `data` as a scenario; raise where it is not refused and not kept as it is."""
    name = "scenario.json" if data.lstrip()[:1] == b"{" else "scenario.toml"
    scenario = read_file(name, data, scenario_from_file)
    if scenario is not None:
        _survives(scenario)
        assert explain(scenario).strip(), f"{scenario} is explained by nothing"
        _carried_out(scenario)


def _survives(scenario: Scenario) -> None:
    written = scenario_to_toml(scenario)
    again = scenario_from_toml(written)
    assert again == scenario, f"{scenario} was written as {written!r} and read as {again}"
    text = json.dumps(scenario_to_dict(scenario))
    again = scenario_from_json(text)
    assert again == scenario, f"{scenario} was written as {text!r} and read as {again}"


def _carried_out(scenario: Scenario) -> None:
    """Load the scenario into a server that is not started."""
    with suppress(ScenarioError):  # what this platform lacks
        MockServer(scenario)


def seeds() -> Iterator[bytes]:
    """Yield what ships, the examples of the guide, and one of each fault."""
    yield _SHIPPED.read_bytes()
    texts = _EXAMPLE.findall(_GUIDE.read_text("utf-8"))
    texts += [f"{_BEGIN}[[rule]]\n{fault.example}\n" for fault in FAULTS.values()]
    for text in texts:
        yield text.encode()
        with suppress(ScenarioError):  # what the guide shows is not always a whole scenario
            yield json.dumps(scenario_to_dict(scenario_from_toml(text))).encode()
