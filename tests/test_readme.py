"""What the README shows beside its Python examples, which are tests of their own."""

import re
from pathlib import Path

import pytest

from mock_server import scenario_from_toml

README = (Path(__file__).parent.parent / "README.md").read_text()

VENV = "python3 -m venv .venv"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_the_two_commands_do_their_own_set_up() -> None:
    assert blocks("bash") == [
        f"{VENV} && .venv/bin/pip install '.[conformance]' && .venv/bin/arkor-conformance run\n",
        f"{VENV} && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest\n",
    ]


@pytest.mark.parametrize("scenario", blocks("toml"))
def test_every_scenario_is_one_that_the_mock_takes(scenario: str) -> None:
    assert scenario_from_toml(scenario).rules


def test_every_path_it_names_exists() -> None:
    root = Path(__file__).parent.parent
    named = re.findall(r"`((?:spec|arkor_proto|mock_server|conformance)/[^`]*)`", README)

    assert [path for path in named if not (root / path).exists()] == []
