"""A scenario that mitmproxy cannot carry out is refused; the message names the file and the rule."""

from pathlib import Path

import pytest

from mock_server import ScenarioError
from mock_server.mitm.settings import read_scenario


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b'[[rule]]\nedn = "rst"\n', "rule 1: 'edn' is unknown; did you mean 'end'?"),
        (
            b'[[rule]]\naccept = "rst"\n',
            "rule 1: 'accept' needs the listener capability; the mitmproxy carrier lacks it",
        ),
        (
            b'[[rule]]\nbom = true\n[[rule]]\nlistener = "down"\n',
            "rule 2: 'listener' needs the listener capability; the mitmproxy carrier lacks it",
        ),
        (
            b'[[rule]]\ntls = "hang"\n',
            "rule 1: 'tls' needs the tls_raw capability; the mitmproxy carrier lacks it",
        ),
        (
            b'[[rule]]\nidle_end = "408"\n',
            "rule 1: 'idle_end' needs the listener capability; the mitmproxy carrier lacks it",
        ),
        (
            b'[[rule]]\nend = "tls_alert"\n',
            "rule 1: 'end = tls_alert' needs the tls_raw capability; the mitmproxy carrier lacks",
        ),
        (
            b'[[rule]]\nresume = "ignore"\n',
            "rule 1: 'resume' needs the backend capability; the mitmproxy carrier lacks it",
        ),
        (
            b"[[rule]]\nhandoff = {lose = 1}\n",
            "rule 1: 'handoff' needs the backend capability; the mitmproxy carrier lacks it",
        ),
        (
            b'[backend]\nexpect = "ignored"\n',
            "backend: 'expect' needs the listener capability; the mitmproxy carrier lacks it",
        ),
        (b"[[rule]]\nslow_read = 9\n", "rule 1: 'slow_read' does not work in mitmproxy"),
        (b'[[rule]]\nstall = {gate = "g"}\n', "rule 1: the gate 'g' cannot be opened in mitmdump"),
        (
            b'[[rule]]\ninject = [{data = "d", gate = "g"}]\n',
            "rule 1: the gate 'g' cannot be opened in mitmdump",
        ),
        (b"[[job]]\nevents = 1\n", "job: mitmproxy cannot add jobs"),
        (b"[[rule]\n", "TOML: "),
        (b'name = "\xff"\n', "the byte at offset 8 is not UTF-8"),
    ],
)
def test_a_scenario_that_it_cannot_carry_is_refused_with_the_file_and_the_rule(
    tmp_path: Path, source: bytes, message: str
) -> None:
    path = tmp_path / "s.toml"
    path.write_bytes(source)
    with pytest.raises(ScenarioError) as caught:
        read_scenario(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_a_scenario_that_is_not_there_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"none\.toml: No such file"):
        read_scenario(tmp_path / "none.toml")
