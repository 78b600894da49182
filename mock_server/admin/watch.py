"""Reload a scenario when its file changes."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import anyio
from anyio import to_thread
from attrs import define, field

from mock_server.durable import say
from mock_server.scenario.files import scenario_from_file
from mock_server.scenario.model import Scenario
from mock_server.strict.shapes import ScenarioError, count_of

_PACE: Final = 0.2
_Signature = tuple[int, int, int] | None


@define
class Watch:
    """A scenario file, and the scenario that was last loaded from it."""

    _path: Path
    _scenario: Scenario
    _broken: bool = field(default=False, init=False)

    async def run(self, load: Callable[[Scenario], None]) -> None:
        """Call `load` with the scenario whenever it has changed, until cancelled.

        The file is read only after two checks in a row have found it unchanged, so it is not read
        half-written. A missing file is ignored. A mistake in the scenario is reported in one line,
        and the old scenario stays active.
        """
        read: _Signature = None
        seen: _Signature = None
        while True:
            now = await to_thread.run_sync(_signature, self._path)
            if now is not None and now == seen != read:
                read = now
                await self._look(load)
            seen = now
            await anyio.sleep(_PACE)

    async def _look(self, load: Callable[[Scenario], None]) -> None:
        try:
            found = await to_thread.run_sync(scenario_from_file, self._path)
            if found != self._scenario:
                load(found)
                self._scenario = found
                say(f"{self._path} has changed: loaded it and started over")
            elif self._broken:
                say(f"{self._path} is valid again and matches the active scenario; nothing to load")
            self._broken = False
        except ScenarioError as error:
            self._broken = True
            say(f"{summary(error)}; the old scenario stays active")


def summary(error: ScenarioError) -> str:
    """Return the first mistake, and how many more there are."""
    others = len(error.mistakes) - 1
    more = f" (and {count_of(others, 'more mistake')}; `arkor-mock check` lists them all)"
    return f"{error}{more if others else ''}"


def _signature(path: Path) -> _Signature:
    """Return values that change whenever the file does; None if there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
