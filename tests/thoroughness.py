"""How much a run of the tests tries: all of it, or what takes a few minutes."""

import pytest

LONG = 600
"""Seconds: the time limit of a test that is marked as thorough."""


def all_of_it(config: pytest.Config) -> bool:
    """Tell whether nothing is to be left out: with `--thorough`, or when tests are named."""
    return bool(config.getoption("--thorough")) or any("::" in each for each in config.args)


def leave_out(config: pytest.Config, items: list[pytest.Item], left: list[pytest.Item]) -> None:
    """Take these tests out of a run, and have pytest count them as deselected."""
    gone = {*left}
    items[:] = [item for item in items if item not in gone]
    config.hook.pytest_deselected(items=left)
