"""Play a whole run: the chosen cases under the chosen profiles, in parallel lanes.

Drivers that die are restarted. A request may arrive late, so every result is judged again at the
end of the run. A run that is stopped keeps its results and reports how many cases were not
played.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import anyio
from anyio.abc import TaskGroup
from attrs import define, field, frozen

from conformance.casefile.model import Case
from conformance.casefile.nonces import Draw, draw
from conformance.casefile.requirements import PROFILE_NAMES
from conformance.drive.connection import DriverConnection
from conformance.drive.process import DriverUnusable
from conformance.drive.protocol import Identity
from conformance.runner.backend import Backends
from conformance.runner.lanes import FIRST, helpful, here, longest_early
from conformance.runner.player import ASLEEP, FOLLOWS, Assignment, Played, Player, Rules, driver_of
from conformance.runner.probe import probe, worth_probing
from conformance.runner.stack import Stack
from conformance.strict_data import UsageError
from conformance.verdict.result import CaseResult
from conformance.verdict.statuses import Verdict
from conformance.verdict.time_modes import IN_VIRTUAL_TIME, TimeMode, Timing
from mock_server.strict.shapes import count_of

PATIENCE: Final = 5.0
"""Seconds of silence after which the kit stops waiting for a driver."""
_TRUST: Final = 5
"""Once a case has ended without hanging, the limit on hung templates is multiplied by this."""


@frozen(kw_only=True)
class Plan:
    """The options of a run; `isolate` starts a new driver process for every case."""

    command: Sequence[str]
    cases: Sequence[Case]
    profiles: Sequence[str] = PROFILE_NAMES
    lanes: int | None = 1
    """The number of drivers that play at once; None means as many as are useful."""
    isolate: bool = False
    patience: float = PATIENCE
    max_hung: int | None = None
    """The run stops when this many templates have hung; None means that hangs never stop it."""
    only_if_useless: bool = False
    """Whether a case that does not hang resets the count of hung templates and raises the limit."""
    rounds: int = 1
    """Round trips with the driver before the kit ends a sleep; more expose more faulty clients."""
    time: TimeMode | None = None
    """The time mode; None means virtual if the driver supports it, otherwise scaled."""
    strict: bool = False
    """Whether proposals count under every profile, not only under `hardened`."""
    version: str = ""
    """Rules newer than this specification version do not count; if it is empty, all rules count."""
    attached: bool = False
    """Whether cases are played in attached form, even if the client can create jobs."""
    draw: Draw = draw
    """Called to get the nonce for each case."""
    note: Callable[[str], None] = lambda _: None
    """Called with each remark for the user; most remarks come before the first result."""
    wanted: Callable[[Case], bool] = lambda _: True
    """Called right before a case is played; the case is skipped if this returns False."""


@frozen(kw_only=True)
class Outcome:
    """The results of a run, profile by profile, in the order of the case files."""

    identity: Identity
    results: Sequence[CaseResult]
    seconds: float
    stopped: str = ""
    """Why the run ended early; empty if the run is complete."""
    left: int = 0
    """The number of cases under the declared profiles that an early end of the run left unplayed."""
    interrupted: bool = False
    """Whether the user or a signal ended the run early."""
    total: int = 0
    """The number of cases to play under the profiles that the driver declares."""
    timing: Timing = IN_VIRTUAL_TIME
    stack: Stack | None = None
    """The result of the start-up probe, if any case needed it."""


def assignments(plan: Plan) -> Sequence[Assignment]:
    """Return all cases to play, profile by profile."""
    chosen = (
        (case, profile)
        for profile in plan.profiles
        for case in plan.cases
        if profile in case.profiles
    )
    return [Assignment(place, case, profile) for place, (case, profile) in enumerate(chosen)]


async def run(plan: Plan, on_result: Callable[[CaseResult], None] = lambda _: None) -> Outcome:
    """Play a plan; raise DriverUnusable if the first driver cannot be used."""
    course = Run(plan, on_result)
    await course.play()
    return course.outcome()


@define
class Run:
    """One run; call `outcome` once it is over or has been cancelled."""

    plan: Plan
    on_result: Callable[[CaseResult], None]
    chosen: Sequence[Assignment] = field(init=False)
    queue: Iterator[Assignment] = field(init=False)
    player: Player | None = None
    """The player that all lanes share; created when the first driver answers `hello`."""
    unusable: DriverUnusable | None = None
    stopped: str = ""
    results: dict[int, Played] = field(factory=dict[int, Played])
    beginning: anyio.Lock = field(factory=anyio.Lock)
    most: int = field(init=False)
    """The number of drivers that may play at once."""
    _lanes: int = field(default=0, init=False)
    _began: float = field(factory=time.monotonic, init=False)
    _hung: set[str] = field(factory=set[str], init=False)
    _useful: bool = field(default=False, init=False)
    _asleep: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        """Choose the cases to play."""
        self.chosen = assignments(self.plan)
        self.queue = iter(self.chosen)
        self.most = FIRST if self.plan.lanes is None else self.plan.lanes

    async def play(self) -> None:
        """Play all cases; raise DriverUnusable if the first driver cannot be used."""
        if not math.isfinite(self.plan.patience):
            raise UsageError(
                "--patience", f"{self.plan.patience} is not a finite number of seconds"
            )
        async with (
            Backends.opened(len(self.chosen), self.plan.note) as backends,
            anyio.create_task_group() as group,
        ):
            for _ in range(self.most):
                self.add_lane(group, backends)
        if self.unusable is not None:
            raise self.unusable

    def declares(self, profile: str) -> bool:
        """Return whether the driver declares a profile; False until it has answered `hello`."""
        return self.player is not None and profile in self.player.identity.profiles

    @property
    def declared(self) -> Sequence[Assignment]:
        """The cases to play under the profiles that the driver declares."""
        return [each for each in self.chosen if self.declares(each.profile)]

    def add_lane(self, group: TaskGroup, backends: Backends) -> None:
        """Start one more driver."""
        self._lanes += 1
        group.start_soon(_Lane(self, backends, group).work)

    def grow(self, group: TaskGroup, backends: Backends) -> None:
        """Start one more driver if more would help.

        This is called when a driver has started, so that only a few start at the same time: on a
        busy machine, many would take too long to answer `hello`.
        """
        if self._lanes < self.most:
            self.add_lane(group, backends)

    def outcome(self, interrupted: str = "") -> Outcome:
        """Return the results so far; raise DriverUnusable if the run has not begun."""
        if self.player is None:
            raise DriverUnusable(interrupted or "was not started: no case was chosen")
        left = sum(1 for each in self.declared if each.place not in self.results)
        stopped = (self.stopped or interrupted) if left else ""
        return Outcome(
            identity=self.player.identity,
            results=[self.results[place].again() for place in sorted(self.results)],
            seconds=time.monotonic() - self._began,
            stopped=stopped,
            left=left if stopped else 0,
            total=len(self.declared),
            timing=self.player.timing,
            stack=self.player.stack,
        )

    def next(self) -> Assignment | None:
        """Return the next case to play; None if none is left or the run has stopped."""
        if self.unusable is not None or self.stopped:
            return None
        wanted = self.plan.wanted
        return next((each for each in self.queue if wanted(each.case)), None)

    def keep(self, assignment: Assignment, played: Played) -> None:
        """Store a result and pass it to `on_result`."""
        self.results[assignment.place] = played
        self._count(assignment.case, played)
        self.on_result(played.result)

    def tell_of_sleeps(self, connection: DriverConnection) -> None:
        """Note, once per run, that the driver announces sleeps but the kit does not end them."""
        if connection.announced and not self._asleep:
            self._asleep = True
            self.plan.note(ASLEEP)

    def _count(self, case: Case, played: Played) -> None:
        """Count templates that hang, and stop the run if there are too many.

        Each hang uses up the whole `patience`. Crashes and endless loops are found quickly, so they
        are not counted.
        """
        template = case.template
        gaps = self.player.identity.declared_gaps if self.player is not None else ()
        ended = played.result.verdict is not Verdict.NOT_APPLICABLE and played.play.broken is None
        if played.hung and case.id not in gaps and template not in gaps:
            self._hung.add(template)
        elif not played.hung and ended and self.plan.only_if_useless:
            self._useful = True
            self._hung.clear()
        most = self.plan.max_hung
        if most is not None and len(self._hung) >= most * (_TRUST if self._useful else 1):
            row = " in a row" if self.plan.only_if_useless else ""
            number = len(self._hung)
            several = number > 1
            hung = f"{count_of(number, 'case')}{row if several else ''} hung"
            each = " each" if several else ""
            self.stopped = f"{hung} for {self.plan.patience:g} s{each}"

    async def begin(self, connection: DriverConnection, backends: Backends) -> Player:
        """Return the player, created from the first driver; raise DriverUnusable if that fails."""
        async with self.beginning:
            if self.player is None:
                identity = connection.introduced()
                if identity.follows_only:
                    self.plan.note(FOLLOWS)
                timing = Timing.of(self.plan.time, identity)
                player = Player(
                    backends,
                    identity,
                    timing,
                    self.plan.patience,
                    self.plan.rounds,
                    rules=Rules(strict=self.plan.strict, version=self.plan.version),
                    draw=self.plan.draw,
                    attached=self.plan.attached,
                )
                if worth_probing(self.plan.cases):
                    player.stack = await probe(player, connection, self.plan.profiles)
                    self.plan.note(str(player.stack))
                self.player = player
                self._settle_lanes(player, connection)
            return self.player

    def _settle_lanes(self, player: Player, connection: DriverConnection) -> None:
        """For a client that really sleeps, choose the number of drivers and the order of cases."""
        if player.timing.mode is TimeMode.VIRTUAL:
            return
        self.queue = longest_early(self.queue, player.timing)
        if self.plan.lanes is None:
            waits = [player.waits(each) for each in self.chosen]
            room = here(player.backends.spare_files)
            starts = len(waits) if self.plan.isolate else 0
            useful = helpful(waits, connection.start_cost, starts=starts)
            self.most = min(useful, room.most(connection.memory()))
        drivers = min(self.most, len(self.declared))
        if drivers > 1:
            self.plan.note(f"In {player.timing}: {drivers} drivers run at once.")


@define
class _Lane:
    """Plays one case after another, starting a new driver whenever the last became unusable."""

    course: Run
    backends: Backends
    group: TaskGroup

    async def work(self) -> None:
        """Play assignments until none is left."""
        following = self.course.next()
        plan = self.course.plan
        while following is not None:
            assignment = following
            try:
                async with driver_of(plan.command, plan.patience, plan.time) as connection:
                    first = self.course.player is None
                    player = await self.course.begin(connection, self.backends)
                    if first and (connection.broken or connection.unanswered):
                        continue  # the probe left this driver unusable
                    self.course.grow(self.group, self.backends)
                    following = await self._play_with(player, connection, assignment)
            except DriverUnusable as error:
                if self.course.player is None:
                    self.course.unusable = error
                    return
                self.course.keep(assignment, self.course.player.without_driver(assignment, error))
                following = self.course.next()

    async def _play_with(
        self, player: Player, connection: DriverConnection, assignment: Assignment
    ) -> Assignment | None:
        """Use one driver for as long as possible; return the next driver's first assignment."""
        following: Assignment | None = assignment
        while following is not None:
            self.course.keep(following, await player.play(following, connection))
            self.course.tell_of_sleeps(connection)
            following = self.course.next()
            if self.course.plan.isolate or connection.broken or connection.unanswered:
                break
        return following
