"""JSON that was cut off is told as such, wherever that happened."""

import json
from typing import Final

import pytest

from mock_server.strict.files import from_json
from mock_server.strict.shapes import ScenarioError

WHOLE: Final = json.dumps({"a": [1.5, -2e5, True, None, 'x\\"y', {"b": {}}], "c": "d"}, indent=1)


@pytest.mark.parametrize("size", range(1, len(WHOLE)))
def test_a_file_that_was_cut_off_says_so(size: int) -> None:
    with pytest.raises(ScenarioError, match=r"^JSON: the file is cut off on line \d+: "):
        from_json(WHOLE[:size], dict)


@pytest.mark.parametrize("text", ["", " ", "\n\n"])
def test_an_empty_file_says_so(text: str) -> None:
    with pytest.raises(ScenarioError, match=r"^JSON: the file is empty$"):
        from_json(text, dict)


@pytest.mark.parametrize("text", ["no json", "xyz", '{"a" 1}', '{"a": 1} {"b": 2}', "{'a': 1}"])
def test_what_was_never_json_is_not_said_to_be_cut_off(text: str) -> None:
    with pytest.raises(ScenarioError, match=r"^JSON: (Expecting|Extra)"):
        from_json(text, dict)
