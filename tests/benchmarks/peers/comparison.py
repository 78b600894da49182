"""The whole comparison: what is measured, in which order, and the results."""

import platform
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final

from attrs import asdict, define, field, frozen

from tests.benchmarks.peers import client_speed, correctness, growth, parser_speed, readers
from tests.benchmarks.peers.correctness import Correctness
from tests.benchmarks.peers.goals import Verdict
from tests.benchmarks.peers.growth import AXES, Axis, Curve
from tests.benchmarks.peers.known import INSTALL, OURS, LeftOut, parser_workers
from tests.benchmarks.peers.workers import PeerFailed, Worker
from tests.benchmarks.workloads import Workload, workloads

PARTS: Final = ("parser", "client", "growth")
SCHEMA: Final = "arkor-peers/1"
_BOUNDED: Final = frozenset({"events", "replay"})
"""The axes along which a stream gets longer, but none of its events."""


@frozen
class Extent:
    """The extent of a comparison: how much is measured."""

    size: int
    rounds: int
    client_size: int | None
    client_rounds: int
    streams: tuple[str, ...]
    axes: tuple[Axis, ...]
    replays: tuple[int, ...]
    workloads: frozenset[str] | None
    """The names of the workloads, None for all of them."""
    followers: int
    growth_rounds: int
    clients: frozenset[str] | None
    """The names of the clients, None for all of them."""

    def chosen(self) -> list[Workload]:
        """Return the workloads that the parsers read."""
        return [
            w for w in workloads(self.size) if self.workloads is None or w.name in self.workloads
        ]


FULL: Final = Extent(
    parser_speed.SIZE,
    parser_speed.ROUNDS,
    None,
    client_speed.ROUNDS,
    tuple(client_speed.STREAMS),
    AXES,
    growth.REPLAYS,
    None,
    client_speed.FOLLOWERS,
    growth.ROUNDS,
    None,
)
QUICK: Final = Extent(
    2**15,
    3,
    20_000,
    2,
    ("chunked", "replay"),
    tuple(
        Axis(a.name, a.title, a.build, a.sizes[:4])
        for a in AXES
        if a.name in {"data lines", "events"}
    ),
    (),
    frozenset({"W1", "W2", "W8", "CRLF, bulk"}),
    2,
    1,
    frozenset({readers.OURS, readers.NAIVE, readers.OURS + readers.BLOCKING}),
)


@define
class Comparison:
    """The results of a comparison, part by part; a part that was not requested is empty."""

    quick: bool
    python: str = field(factory=platform.python_version)
    machine: str = field(factory=lambda: f"{platform.system()} {platform.machine()}")
    began: str = field(factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    seconds: float = 0.0
    versions: dict[str, str] = field(factory=dict[str, str])
    left_out: list[LeftOut] = field(factory=list[LeftOut])
    vectors: int = 0
    correctness: list[Correctness] = field(factory=list[Correctness])
    parser: list[parser_speed.Row] = field(factory=list[parser_speed.Row])
    client: list[client_speed.Row] = field(factory=list[client_speed.Row])
    curves: list[Curve] = field(factory=list[Curve])
    goals: list[Verdict] = field(factory=list[Verdict])

    @property
    def missed(self) -> list[Verdict]:
        """The goals that were not met."""
        return [goal for goal in self.goals if not goal.met]

    @property
    def superlinear(self) -> list[Curve]:
        """The curves that grow faster than the stream."""
        return [curve for curve in self.curves if curve.growth and curve.growth.is_superlinear]

    def judged(self, row: parser_speed.Row) -> list[Verdict]:
        """Return the verdicts on a workload; none in a quick run, which is too rough for them."""
        return [] if self.quick else list(parser_speed.judge(row, OURS))

    def judged_clients(self, row: client_speed.Row) -> Mapping[str, Verdict]:
        """Return the verdicts on a stream, by reader; none in a quick run."""
        return {} if self.quick else dict(client_speed.judge(row))

    def judges(self, curve: Curve) -> bool:
        """Return whether a curve is exact enough for a goal; in a quick run, times are not."""
        return not self.quick or curve.cost == "memory"

    def as_json(self) -> dict[str, object]:
        """Return all results as a JSON object."""
        rows = [
            {**asdict(each), "right": each.right, "right_byte_by_byte": each.right_byte_by_byte}
            for each in self.correctness
        ]
        kinds = [{**asdict(c), "kind": c.growth.kind if c.growth else ""} for c in self.curves]
        figures = {"met": len(self.goals) - len(self.missed), "missed": len(self.missed)}
        return {
            "schema": SCHEMA,
            **figures,
            **asdict(self),
            "correctness": rows,
            "curves": kinds,
        }


def compare(
    parts: Collection[str], extent: Extent, *, quick: bool, tell: Callable[[str], None]
) -> Comparison:
    """Measure these parts; `tell` is called with what is being measured."""
    found = Comparison(quick)
    began = time.monotonic()
    with ExitStack() as running:
        parsers: list[Worker] = []
        if {"parser", "growth"} & {*parts}:
            tell("starting the parsers")
            parsers, found.left_out = parser_workers()
            for each in parsers:
                running.enter_context(each)
                found.versions[each.name] = each.hello()["version"]
        if "parser" in parts:
            _add_parsers(found, parsers, extent, tell)
        clients = _clients(extent) if {"client", "growth"} & {*parts} else []
        for each in clients:
            running.enter_context(each)
        if "client" in parts:
            _add_clients(found, clients, extent, tell)
        if "growth" in parts:
            _add_growth(found, parsers, clients, extent, tell)
    found.versions.setdefault(OURS, version(OURS))
    found.seconds = time.monotonic() - began
    return found


def _clients(extent: Extent) -> list[Worker]:
    found = client_speed.client_workers()
    return [each for each in found if extent.clients is None or each.name in extent.clients]


def _add_parsers(
    found: Comparison, parsers: Sequence[Worker], extent: Extent, tell: Callable[[str], None]
) -> None:
    vectors = correctness.public_vectors()
    found.vectors = len(vectors)
    for each in parsers:
        tell(f"public vectors: {each.name}")
        try:
            found.correctness.append(correctness.judge(each, vectors))
        except PeerFailed as failed:  # it started once, but not again
            found.left_out.append(LeftOut(each.name, str(failed)))
    right = next((each for each in found.correctness if each.name == OURS), None)
    measured = f"{right.right_byte_by_byte if right else 0} of {len(vectors)} right"
    met = right is not None and right.right_byte_by_byte == len(vectors)
    found.goals.append(Verdict("parser: public vectors", measured, "all", met))
    for workload in extent.chosen():
        tell(f"parser: {workload.name}")
        row = parser_speed.measure(workload, parsers, extent.rounds)
        found.parser.append(row)
        found.goals += found.judged(row)


def _add_clients(
    found: Comparison, clients: Sequence[Worker], extent: Extent, tell: Callable[[str], None]
) -> None:
    found.left_out += [LeftOut(f"{name} (client)", INSTALL) for name in readers.left_out()]
    for stream in extent.streams:
        tell(f"client: {stream}")
        row = client_speed.measure(stream, clients, extent.client_rounds, extent.client_size)
        found.client.append(row)
        found.goals += found.judged_clients(row).values()
    tell(f"client: {extent.followers} followers")
    _, times = client_speed.growth(extent.followers, extent.client_rounds)
    if not found.quick:
        found.goals.append(client_speed.judge_growth(times))


def _add_growth(
    found: Comparison,
    parsers: Sequence[Worker],
    clients: Sequence[Worker],
    extent: Extent,
    tell: Callable[[str], None],
) -> None:
    for each in parsers:
        tell(f"growth: {each.name}")
        found.curves += growth.curves_of_parser(each, extent.axes, extent.growth_rounds)
    tell("growth: clients that replay")
    one_each = [each for each in clients if each.name not in client_speed.IN_A_HURRY]
    found.curves += growth.curves_of_clients(one_each, extent.replays, extent.growth_rounds)
    found.goals += _of_our_growth(each for each in found.curves if found.judges(each))


def _of_our_growth(curves: Iterable[Curve]) -> Iterator[Verdict]:
    """Judge our curves: all must be linear, and memory must not grow with the number of events."""
    for curve in (curve for curve in curves if curve.name.startswith(OURS)):
        goal = "flat" if curve.cost == "memory" and curve.axis in _BOUNDED else "linear"
        what = f"growth, {curve.name}: {curve.cost} by {curve.axis}"
        kind = curve.growth.kind if curve.growth else ""
        measured = f"{curve.growth}, {kind}" if curve.growth else curve.problem
        yield Verdict(what, measured, goal, met=kind in {goal, "flat"})
