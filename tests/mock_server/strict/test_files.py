"""Files of TOML and JSON are read in one place, which names the file and the line of a mistake."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mock_server.strict.files import read_json, read_toml
from mock_server.strict.shapes import ScenarioError, array, integer, mapping

COUNTS = mapping(array(integer(0, 9)))


def counts(data: Mapping[str, object]) -> Mapping[str, tuple[int, ...]]:
    return COUNTS.read(data, "")


@pytest.mark.parametrize(
    ("read", "content"), [(read_toml, "a = [1, 2]\n"), (read_json, '{"a": [1, 2]}')]
)
def test_a_file_is_read_as_what_the_caller_makes_of_it(
    tmp_path: Path,
    read: Callable[
        [Path, Callable[[Mapping[str, object]], Mapping[str, tuple[int, ...]]]],
        Mapping[str, tuple[int, ...]],
    ],
    content: str,
) -> None:
    path = tmp_path / "counts"
    path.write_text(content)
    assert read(path, counts) == {"a": (1, 2)}


def test_every_mistake_begins_with_the_path_and_ends_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "counts.toml"
    path.write_text("a = [1]\nb = [\n  1,\n  10,\n]\nc = 1\n")
    with pytest.raises(ScenarioError) as caught:
        read_toml(path, counts)
    first, second = caught.value.mistakes
    assert first == f"{path}: b 2: 10 (integer) is not a whole number from 0 to 9 (line 4)"
    assert second.startswith(f"{path}: c: 1 (integer) is not an array")
    assert second.endswith("(line 6)")
