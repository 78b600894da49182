"""Run the tests of the mock on both event loops."""

from pathlib import Path

import pytest

from tests.thoroughness import all_of_it, leave_out

HERE = Path(__file__).parent
LOOPS = ("asyncio", "trio")


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run every asynchronous test on both event loops."""
    return str(request.param)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Play a test that has many cases on the two event loops in turn, unless it is thorough."""
    if not all_of_it(config):
        leave_out(config, items, [each for each in items if _is_for_the_other_loop(each)])


def _is_for_the_other_loop(item: pytest.Item) -> bool:
    """Return whether a case of a test of this folder is one that its twin on the other loop plays."""
    if not isinstance(item, pytest.Function) or HERE not in item.path.parents:
        return False
    places = dict(item.callspec.indices) if hasattr(item, "callspec") else {}
    loop = places.pop("anyio_backend", None)
    return loop is not None and bool(places) and loop != sum(places.values()) % len(LOOPS)
