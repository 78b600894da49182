"""The part of the mock's pytest plugin that pytest loads: the option, marker and fixtures.

Nothing else from the project is imported until a test uses a fixture, so a test run without mocks
is not slowed down, and does not fail where the mock cannot work.
"""

from collections.abc import AsyncIterator, Generator, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

    from anyio.from_thread import BlockingPortal

    from mock_server import MockServer
    from mock_server.testing.pytest_plugin import Mocks
    from mock_server.testing.sync import SyncMock

_FAILED = pytest.StashKey[bool]()
_MOCKS = pytest.StashKey["Mocks"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the seed."""
    group = parser.getgroup("arkor mock")
    group.addoption(
        "--arkor-seed", type=int, default=None, help="the seed of every scenario, to repeat a run"
    )


class _WithoutAnyio:
    """Replaces anyio's pytest plugin if anyio is missing, so that tests fail with the reason."""

    @pytest.fixture
    def anyio_backend(self) -> None:
        _plugin()


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    if find_spec("anyio") is None:
        config.addinivalue_line("markers", "anyio: needs anyio, which is not installed")
        config.pluginmanager.register(_WithoutAnyio(), "arkor-mock-without-anyio")
    config.addinivalue_line(
        "markers",
        "scenario(path or rules..., strict=True, **words): what mock_server and amock_server "
        "serve: a .toml or .json file beside the test, or rules, or any keys of a scenario",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the seed and the exchanges of every mock to the report of a failed test."""
    mocks = item.stash.get(_MOCKS, None)
    if mocks is not None and call.excinfo is not None and not item.config.getoption("fulltrace"):
        mocks.cut_traceback(call.excinfo)
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
        if mocks is not None and call.when in {"call", "teardown"}:
            report.sections += mocks.sections()
    return report


def _plugin() -> "ModuleType":
    """Import the implementation of the fixtures, or fail the test with the reason."""
    from arkor_entry import hiding  # noqa: PLC0415 - not before a fixture is used

    why = hiding("arkor_proto", "mock_server")
    try:
        if not why:
            from mock_server.testing import pytest_plugin  # noqa: PLC0415 - see above

            return pytest_plugin
    except ImportError as error:
        from mock_server.obstacles import missing  # noqa: PLC0415 - see above

        if (why := missing(error)) is None:
            raise
    pytest.fail(f"the fixtures of arkor-proto: {why}", pytrace=False)


def _mocks(request: pytest.FixtureRequest) -> "Mocks":
    item: pytest.Item = request.node
    if _MOCKS not in item.stash:
        item.stash[_MOCKS] = _plugin().Mocks()
    return item.stash[_MOCKS]


def _has_failed(request: pytest.FixtureRequest) -> bool:
    item: pytest.Item = request.node
    return item.stash.get(_FAILED, False)


@pytest.fixture(scope="session")
def _mock_portal() -> "Iterator[BlockingPortal]":
    """Run one event loop in a thread for all servers of a session, so fixtures share a thread."""
    with _plugin().start_portal() as portal:
        yield portal


@pytest.fixture
def mock_server(
    request: pytest.FixtureRequest, _mock_portal: "BlockingPortal"
) -> "Iterator[SyncMock]":
    """Serve a mock backend on its own port, for a synchronous test."""
    mocks = _mocks(request)
    with mocks.serve(request, _mock_portal) as mock:
        yield mock
        mocks.settle(mock, failed=_has_failed(request))


@pytest.fixture
async def amock_server(
    request: pytest.FixtureRequest, anyio_backend: object
) -> "AsyncIterator[MockServer]":
    """Serve a mock backend on its own port, on the event loop of an asynchronous test."""
    del anyio_backend
    mocks = _mocks(request)
    async with mocks.aserve(request) as mock:
        yield mock
        mocks.settle(mock, failed=_has_failed(request))
