"""How much a run of the tests tries: all of it, or what takes a few minutes."""

import pytest

LONG = 600
"""Seconds: the time limit of a test that is marked as thorough."""


def all_of_it(config: pytest.Config) -> bool:
    """Return whether nothing is to be left out: with `--thorough`, or when tests are named."""
    return bool(config.getoption("--thorough")) or any("::" in each for each in config.args)


def is_whole_suite(config: pytest.Config) -> bool:
    """Return whether pytest was started without a choice of tests, of processes or of a debugger."""
    chosen = ("keyword", "markexpr", "lf", "stepwise", "collectonly", "usepdb", "trace", "tx")
    return (
        config.args_source is pytest.Config.ArgsSource.TESTPATHS
        and not hasattr(config, "workerinput")  # one of the processes that xdist has started
        and config.getoption("numprocesses", 0) is None  # 0 where there is no xdist
        and not any(config.getoption(each, None) for each in chosen)
    )


def leave_out(config: pytest.Config, items: list[pytest.Item], left: list[pytest.Item]) -> None:
    """Take these tests out of a run, and have pytest count them as deselected."""
    gone = {*left}
    items[:] = [item for item in items if item not in gone]
    config.hook.pytest_deselected(items=left)
