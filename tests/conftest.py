"""What all tests share: how hard they try, how long they may take, and what only a thorough run has."""

import gc
import os
import signal
import sys
from collections.abc import Generator
from types import FrameType

import pytest
from hypothesis import HealthCheck, settings

from tests.thoroughness import LONG, all_of_it, is_whole_suite, leave_out

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
        help="also run what takes long, and four times as many random examples",
    )


@pytest.hookimpl(wrapper=True)  # and so before xdist reads its options
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, object, object]:
    """Spread the whole suite over the cores; a part of it runs in this process.

    One more process than cores, because many tests wait. One that has run all its tests takes over
    half of what another still has to do, so that none is alone with the longest at the end.
    """
    if is_whole_suite(config):
        config.option.numprocesses = len(os.sched_getaffinity(0)) + 1
        config.option.dist = "worksteal"
    return (yield)


@pytest.fixture
def no_collection() -> Generator[None]:
    """Keep what earlier tests left from being collected at the recursion limit.

    There its finalizers would fail, and Python would report that on standard error.
    """
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark, and choose how many examples Hypothesis tries."""
    config.addinivalue_line("markers", "thorough: runs only with --thorough, because it takes long")
    if sys.dont_write_bytecode and config.pluginmanager.hasplugin("cacheprovider"):
        _keep_bytecode(config)
    usual = "thorough" if config.getoption("--thorough") else "quick"
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", usual))
    # What nohup and a shell's `&` ignore, processes that tests start would ignore as well, and then
    # not end when they are told to. They do not inherit a handler.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _pass_over)


def _pass_over(number: int, frame: FrameType | None) -> None:
    """Go on in spite of a signal."""


def _keep_bytecode(config: pytest.Config) -> None:
    """Give the processes that tests start a place for bytecode, where it is not to be written.

    Without one, each of several hundred would compile the packages anew.
    """
    assert config.cache is not None
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # it may have been -B
    os.environ["PYTHONPYCACHEPREFIX"] = str(config.cache.mkdir("bytecode"))


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
    _keep_out_of_collections()


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Do the same with what the tests of a file have left in caches."""
    if nextitem is None or nextitem.path != item.path:
        _keep_out_of_collections()


def _keep_out_of_collections() -> None:
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what this run left out."""
    if not all_of_it(config):
        terminalreporter.write_line(
            "Not run: whole runs of the kit, its page in a browser, most of mitmdump, the largest "
            "state spaces, the long benchmarks, half of the cases that the mock plays on two event "
            "loops. "
            "`pytest --thorough` runs them too, as CI does."
        )
