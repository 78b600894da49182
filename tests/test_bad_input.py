"""Whatever is wrong with the input of a command takes one line, and no traceback."""

from pathlib import Path
from typing import Final

import pytest

from tests.bad_input import COMMANDS, PAGE, place_files, row, tried

WRITTEN: Final = PAGE.read_text("utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files that the command lines name."""
    found = tmp_path_factory.mktemp("bad")
    place_files(found)
    return found


@pytest.mark.parametrize("line", COMMANDS)
def test_bad_input_takes_one_line_and_the_table_has_it(line: str, folder: Path) -> None:
    done = tried(line, folder)
    assert (done.out, done.err.count("\n")) == ("", 1)
    assert done.err.startswith(f"{line.partition(' ')[0]}: ")
    # `check` answers the question whether a scenario is right; no other answer is no.
    assert done.status in ({1} if line.startswith("arkor-mock check ") else {2, 3, 4})
    assert row(line, done) in WRITTEN, "spec/bad-input.md is stale: run python -m tests.bad_input"


def test_the_table_has_nothing_else() -> None:
    assert WRITTEN.count("\n| `") == len(COMMANDS) == len(set(COMMANDS))
