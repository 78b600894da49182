"""What all tests share: how hard Hypothesis tries, and which tests only a thorough run has."""

import gc
import os
import signal

import pytest
from hypothesis import HealthCheck, settings

from tests.thoroughness import LONG, all_of_it, leave_out

_REPEATABLE = settings(
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("quick", _REPEATABLE, max_examples=50)
settings.register_profile("thorough", _REPEATABLE, max_examples=200)
settings.register_profile("random", deadline=None, max_examples=200)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--thorough`."""
    parser.addoption(
        "--thorough",
        action="store_true",
        help="also run the tests marked as thorough, and four times as many random examples",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark, and choose how many examples Hypothesis tries."""
    config.addinivalue_line("markers", "thorough: runs only with --thorough, because it takes long")
    usual = "thorough" if config.getoption("--thorough") else "quick"
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", usual))
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # As under nohup. What tests start would inherit it, and then not end when it is told to.
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked as thorough, unless it is asked for or named."""
    if not all_of_it(config):
        leave_out(config, items, [each for each in items if each.get_closest_marker("thorough")])


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give a thorough test more time: it may play every case that there is."""
    if item.get_closest_marker("thorough") and not item.get_closest_marker("timeout"):
        item.add_marker(pytest.mark.timeout(LONG))


def pytest_collection_finish() -> None:
    """Keep what collection made out of every later garbage collection, which would walk all of it."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what this run left out."""
    if not config.getoption("--thorough"):
        terminalreporter.write_line(
            "Not run: the long tests (whole runs of the kit, processes that are killed or stopped, "
            "browsers, npm). `pytest --thorough` runs them too."
        )
