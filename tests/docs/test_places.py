"""What a reader is shown of the project's English is drawn from all of it, and can be drawn again."""

import pytest

from tests.docs.places import draw, places

KINDS = ["case", "docstring", "guide", "message", "page", "specification"]


def test_every_kind_of_text_is_found_where_it_is() -> None:
    found = places()
    assert sorted(found) == KINDS
    for kind in ("docstring", "guide", "message", "page"):
        for place in found[kind][:40]:
            lines = place.path.read_text("utf-8").splitlines()
            first = place.text.strip().split()[0].split("{")[0].strip("\"'`")
            assert first in "\n".join(lines[place.line - 1 : place.line + 1]), place


@pytest.mark.parametrize("count", [1, 30, 100])
def test_a_sample_has_different_places_of_all_kinds_in_turn(count: int) -> None:
    drawn = draw(1, count)
    assert len(set(drawn)) == len(drawn) == count
    assert [place.kind for place in drawn[:6]] == KINDS[:count]


def test_the_seed_decides_which() -> None:
    assert draw(1, 30) == draw(1, 30)
    assert draw(1, 30) != draw(2, 30)
