"""The mock as pytest fixtures: `mock_server`, `amock_server` and `@pytest.mark.scenario`.

It knows markers, strict teardown and failure reports. It refuses to know how a server works.
"""

import json
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Final

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from attrs import evolve

from mock_server.codec import scenario_from_dict, scenario_from_file
from mock_server.journal import Record, record_to_dict
from mock_server.model import Scenario
from mock_server.server import MockServer
from mock_server.shapes import ScenarioError, is_table
from mock_server.sync import SyncMock, mock_in

_SHOWN: Final = 200
_MOCKS: Final = pytest.StashKey[list[SyncMock | MockServer]]()
_FAILED: Final = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line(
        "markers",
        "scenario(path or rules..., strict=True, **words): what mock_server and amock_server "
        "serve: a .toml or .json file beside the test, or rules, or any words of a scenario",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the seed and the journal of every mock into the report of a failure."""
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
        if call.when in {"call", "teardown"}:
            for mock in item.stash.setdefault(_MOCKS, []):
                report.sections.append((f"arkor mock, seed {mock.scenario.seed}", _journal(mock)))
    return report


def _journal(mock: SyncMock | MockServer) -> str:
    records = mock.journal
    left_out = len(records) - _SHOWN
    lines = [_line(record) for record in records[-_SHOWN:]]
    return "\n".join([f"({left_out} records before)", *lines] if left_out > 0 else lines)


def _line(record: Record) -> str:
    return json.dumps(record_to_dict(record))


@pytest.fixture(scope="session")
def _mock_portal() -> Iterator[BlockingPortal]:
    """One event loop in a thread for all servers of a session: a fixture costs no thread."""
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture
def mock_server(request: pytest.FixtureRequest, _mock_portal: BlockingPortal) -> Iterator[SyncMock]:
    """Serve a mock backend on a port of its own, for a test that is not asynchronous."""
    scenario, strict = _scenario_of(request)
    with mock_in(_mock_portal, scenario) as mock:
        _remember(request, mock)
        yield mock
        _settle(request, mock, strict=strict)


@pytest.fixture
async def amock_server(
    request: pytest.FixtureRequest, anyio_backend: object
) -> AsyncIterator[MockServer]:
    """Serve a mock backend on a port of its own, on the event loop of an asynchronous test."""
    del anyio_backend
    scenario, strict = _scenario_of(request)
    async with MockServer(scenario) as mock:
        _remember(request, mock)
        yield mock
        _settle(request, mock, strict=strict)


def _remember(request: pytest.FixtureRequest, mock: SyncMock | MockServer) -> None:
    item: pytest.Item = request.node
    item.stash.setdefault(_MOCKS, []).append(mock)


def _settle(request: pytest.FixtureRequest, mock: SyncMock | MockServer, *, strict: bool) -> None:
    """Fail a test that passed although a rule of its scenario never acted."""
    item: pytest.Item = request.node
    if strict and not item.stash.get(_FAILED, False):
        idle = mock.verify.idle_rules()
        if idle:
            pytest.fail("\n".join([*idle, "(strict=False allows it)"]), pytrace=False)


def _scenario_of(request: pytest.FixtureRequest) -> tuple[Scenario, bool]:
    item: pytest.Item = request.node
    marker = item.get_closest_marker("scenario")
    words: dict[str, object] = {} if marker is None else dict(marker.kwargs)
    strict = words.pop("strict", True) is not False
    given: tuple[object, ...] = () if marker is None else marker.args
    try:
        scenario = _read(given, words, item.path.parent)
    except ScenarioError as error:
        pytest.fail(f"scenario of {item.nodeid}: {error}", pytrace=False)
    seed: object = request.config.getoption("--arkor-seed")
    return (evolve(scenario, seed=seed) if isinstance(seed, int) else scenario), strict


def _read(given: tuple[object, ...], words: dict[str, object], beside: Path) -> Scenario:
    if len(given) == 1 and isinstance(given[0], str | Path):
        if words:
            raise ScenarioError("a file and words exclude each other; write them into the file")
        return scenario_from_file(beside / given[0])
    if given and not all(is_table(each) for each in given):
        raise ScenarioError("the arguments are one path, or rules as dicts")
    if given:
        words = {**words, "rule": list(given)}
    return scenario_from_dict(words)
