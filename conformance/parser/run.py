"""Judge one parser on every stream, each cut in several ways."""

from collections import deque
from collections.abc import Sequence
from random import Random
from typing import Final

from attrs import define, evolve, field, frozen

from conformance.drive.process import DriverUnusable
from conformance.parser.cuts import chunkings, cut, fewest
from conformance.parser.judge import CUTS, Difference, difference, lacking
from conformance.parser.mistakes import likeliest
from conformance.parser.process import ParserFailed, ParserProcess
from conformance.parser.protocol import Introduction
from conformance.parser.streams import Parsed, Stream

_MOST_ENDS: Final = 6
"""A parser that exits or goes silent this many times in a row cannot be judged."""


@frozen(kw_only=True)
class Failure:
    """A stream that a parser gets wrong, reduced to as few cuts as possible."""

    stream: Stream
    places: tuple[int, ...]
    difference: Difference
    actual: Parsed | None
    """The parser's result; None if the parser exited or went silent."""
    rules: tuple[str, ...] = ()
    """The rules that the parser broke; empty until the run has ended."""

    @property
    def chunks(self) -> tuple[bytes, ...]:
        """The chunks in which the parser received the stream."""
        return cut(self.stream.data, self.places)


@define
class ParserRun:
    """One run; its fields are complete when `play` has returned.

    `left_out` maps the id of each skipped stream to the report that the parser lacks for it.
    """

    command: Sequence[str]
    streams: Sequence[Stream]
    patience: float
    seed: int
    count: int
    introduced: Introduction | None = field(default=None, init=False)
    passed: list[Stream] = field(factory=list[Stream], init=False)
    failures: list[Failure] = field(factory=list[Failure], init=False)
    left_out: dict[str, str] = field(factory=dict[str, str], init=False)
    parses: int = field(default=0, init=False)
    _ended_in_a_row: int = field(default=0, init=False)

    async def play(self) -> None:
        """Play every stream; raise DriverUnusable if the parser cannot be used."""
        pending = deque(self.streams)
        while pending:
            if self._ended_in_a_row >= _MOST_ENDS:
                raise DriverUnusable(
                    f"the parser exited or went silent on {_MOST_ENDS} streams in a row"
                )
            async with ParserProcess.started(self.command, self.patience) as parser:
                self.introduced = parser.introduced
                usable = True
                while pending and usable:
                    usable = await self._play(parser, pending.popleft())
        rules = likeliest([each.difference.explanations for each in self.failures])
        pairs = zip(self.failures, rules, strict=True)
        self.failures = [evolve(failure, rules=broken) for failure, broken in pairs]

    async def _play(self, parser: ParserProcess, stream: Stream) -> bool:
        """Play one stream; return whether the parser can still be used."""
        if report := lacking(stream, parser.introduced.reports):
            self.left_out[stream.id] = report
            return True
        places: tuple[int, ...] = ()
        try:
            # The random cuts of a stream do not depend on which other streams are chosen.
            for places in chunkings(stream.chunks, Random(f"{self.seed} {stream.id}"), self.count):  # noqa: S311 - cuts, not secrets
                if await self._wrong(parser, stream, places) is not None:
                    self.failures.append(await self._shrunk(parser, stream, places))
                    return True
        except ParserFailed as error:
            problem = Difference((stream.requires[:1],), f"the parser {error}")
            self.failures.append(
                Failure(stream=stream, places=places, difference=problem, actual=None)
            )
            self._ended_in_a_row += 1
            return False
        self.passed.append(stream)
        return True

    async def _shrunk(
        self, parser: ParserProcess, stream: Stream, places: tuple[int, ...]
    ) -> Failure:
        async def fails(fewer: tuple[int, ...]) -> bool:
            return await self._wrong(parser, stream, fewer) is not None

        least = await fewest(places, fails)
        actual = await parser.parse(stream, cut(stream.data, least))
        found = difference(stream, least, actual, parser.introduced.reports)
        unsteady = Difference(((CUTS,),), "its results for the same chunks differ")
        return Failure(stream=stream, places=least, difference=found or unsteady, actual=actual)

    async def _wrong(
        self, parser: ParserProcess, stream: Stream, places: tuple[int, ...]
    ) -> Difference | None:
        self.parses += 1
        actual = await parser.parse(stream, cut(stream.data, places))
        self._ended_in_a_row = 0
        return difference(stream, places, actual, parser.introduced.reports)
