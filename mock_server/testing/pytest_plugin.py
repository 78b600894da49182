"""Serve mocks for the fixtures of `pytest_arkor_mock`, then check them and report on them."""

from collections.abc import AsyncGenerator, Generator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final

import pytest
from anyio.from_thread import BlockingPortal
from attrs import define, evolve, field

from mock_server.backend.jobs import JobEnded
from mock_server.journal.lines import lines_of
from mock_server.journal.verify import VerificationError
from mock_server.scenario.files import scenario_from_dict, scenario_from_file
from mock_server.scenario.model import Scenario
from mock_server.server import MockServer
from mock_server.strict.shapes import ScenarioError, is_table
from mock_server.testing.sync import SyncMock, mock_in, start_portal

__all__ = ["Mocks", "start_portal"]

_SHOWN: Final = 200
_READ: Final = 50_000
_MEANT_FOR_THE_TEST: Final = (VerificationError, ScenarioError, JobEnded, TimeoutError)


@define(eq=False)
class Mocks:
    """The mocks of one test."""

    _served: list[SyncMock | MockServer] = field(factory=list[SyncMock | MockServer], init=False)
    _strict: bool = field(default=True, init=False)

    @contextmanager
    def serve(
        self, request: pytest.FixtureRequest, portal: BlockingPortal
    ) -> Generator[SyncMock, None, None]:
        """Serve the scenario from the test's marker, on an event loop in another thread."""
        with mock_in(portal, self._scenario_of(request)) as mock:
            self._served.append(mock)
            yield mock

    @asynccontextmanager
    async def aserve(self, request: pytest.FixtureRequest) -> AsyncGenerator[MockServer, None]:
        """Serve the scenario from the test's marker, on the running event loop."""
        async with MockServer(self._scenario_of(request)) as mock:
            self._served.append(mock)
            yield mock

    def settle(self, mock: SyncMock | MockServer, *, failed: bool) -> None:
        """Fail a test that has passed, if a rule never fired or a gate was never opened."""
        if self._strict and not failed:
            idle = [*mock.verify.idle_rules(), *mock.verify.unopened_gates()]
            if idle:
                hint = "(to allow this, set strict=False in the `scenario` marker)"
                pytest.fail("\n".join([*idle, hint]), pytrace=False)

    def sections(self) -> list[tuple[str, str]]:
        """Return the seed and the exchanges of every mock, for the report of a failed test."""
        return [(f"arkor mock, seed {mock.scenario.seed}", _journal(mock)) for mock in self._served]

    @staticmethod
    def cut_traceback(failure: pytest.ExceptionInfo[BaseException]) -> None:
        """End the traceback at the test's call to the mock if the error is meant for the test.

        Other errors keep their traceback, because they may be bugs in the mock.
        `__tracebackhide__` is not enough: the portal's frames, between the test and the server,
        would stay visible.
        """
        frames = list(_linked(failure.tb))
        ours = [_is_ours(each.tb_frame.f_globals) for each in frames]
        if isinstance(failure.value, _MEANT_FOR_THE_TEST) and ours[-1] and not ours[0]:
            frames[ours.index(True) - 1].tb_next = None

    def _scenario_of(self, request: pytest.FixtureRequest) -> Scenario:
        item: pytest.Item = request.node
        marker = item.get_closest_marker("scenario")
        words: dict[str, object] = {} if marker is None else dict(marker.kwargs)
        self._strict = words.pop("strict", True) is not False
        given: tuple[object, ...] = () if marker is None else marker.args
        try:
            scenario = _read(given, words, item.path.parent)
        except ScenarioError as error:
            failure = pytest.fail.Exception(f"scenario of {item.nodeid}: {error}", pytrace=False)
            raise failure from None
        seed: object = request.config.getoption("--arkor-seed")
        return evolve(scenario, seed=seed) if isinstance(seed, int) else scenario


def _linked(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _is_ours(module: Mapping[str, object]) -> bool:
    name = module.get("__name__")
    return isinstance(name, str) and name.partition(".")[0] == "mock_server"


def _journal(mock: SyncMock | MockServer) -> str:
    lines = lines_of(mock.journal[-_READ:], mock.rule_told)
    left_out = len(lines) - _SHOWN
    note = [f"(earlier lines omitted: {left_out})"] if left_out > 0 else []
    return "\n".join([mock.base_url, *note, *lines[-_SHOWN:]]) if lines else "no request arrived"


def _read(given: tuple[object, ...], words: dict[str, object], beside: Path) -> Scenario:
    if len(given) == 1 and isinstance(given[0], str | Path):
        if words:
            raise ScenarioError(
                f"a scenario file cannot be combined with keyword arguments ({', '.join(words)}); "
                "put everything in the file"
            )
        return scenario_from_file(beside / given[0])
    if given and not all(is_table(each) for each in given):
        raise ScenarioError("the arguments must be either one path, or rules given as dicts")
    if given:
        words = {**words, "rule": list(given)}
    return scenario_from_dict(words)
