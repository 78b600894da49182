"""Test the backend kit with backends that break rules, and with variants that break none.

Each is a mock scenario that differs from the conforming one in one respect (`mutants.toml`).
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import anyio
from attrs import define, field, frozen

from conformance.backends.bounds import Amounts, Bounds
from conformance.backends.control import ControlFailed
from conformance.backends.declare import BackendCase
from conformance.backends.run import BackendPlan, BackendRun, Played
from conformance.backends.target import Target
from conformance.casefile.requirements import Requirement
from conformance.strict_data import Json, read_text, read_toml
from mock_server.control import CONFORMING
from mock_server.scenario.files import scenario_from_dict, scenario_to_dict
from mock_server.strict.alternatives import matching
from mock_server.strict.mistakes import Mistakes
from mock_server.strict.shapes import (
    ScenarioError,
    Shape,
    anything,
    array,
    check_known,
    is_array,
    is_table,
    mapping,
    text,
)
from mock_server.strict.words import EMPTY, needed, table, word

FILE: Final = Path(__file__).with_name("mutants.toml")
BOUNDS: Final = Bounds(
    answer=3.0,
    head=2.0,
    first=2.0,
    event=2.0,
    silence=1.6,
    end=2.0,
    known=1.0,
    agrees=1.0,
    cancelled=1.0,
    revoked=1.0,
    control=10.0,
)
"""Short limits: the mock is fast, and many mutants are caught only once a limit has passed."""
AMOUNTS: Final = Amounts(jobs=200, streams=32, resumes=150, drops=150, races=5)
_NAME: Final = matching("[a-z]+[.][a-z0-9-]+", "a name such as 'create.ignores-keys'")
_WORDS: Final = mapping(anything())
_TABLES: Final = array(mapping(anything()), 20)


@frozen(kw_only=True)
class BrokenBackend:
    """A backend that breaks the rules in `breaks`; a benign one breaks none."""

    name: str = needed(_NAME, "the name of the backend")
    what: str = needed(text(), "how the backend differs from the conforming one")
    breaks: tuple[str, ...] = word(array(text()), "the ids of the rules that it breaks", default=())
    backend: Mapping[str, object] = word(_WORDS, "its changes to [backend]", default=EMPTY)
    limits: Mapping[str, object] = word(_WORDS, "its changes to [limits]", default=EMPTY)
    job: Mapping[str, object] = word(_WORDS, "its changes to [[job]]", default=EMPTY)
    rules: tuple[Mapping[str, object], ...] = word(
        _TABLES, "the [[rule]] tables of its scenario", default=(), name="rule"
    )

    @property
    def family(self) -> str:
        """The part of the name before the first dot."""
        return self.name.partition(".")[0]

    def scenario(self) -> Mapping[str, object]:
        """Return the scenario as data; raise ScenarioError if the mock does not accept it."""
        whole = dict(scenario_to_dict(CONFORMING))
        for name, words in (("backend", self.backend), ("limits", self.limits)):
            own = whole.get(name, {})
            whole[name] = {**(own if is_table(own) else {}), **words}
        if self.job:
            jobs = whole.get("job")
            before = [each for each in jobs if is_table(each)] if is_array(jobs) else []
            whole["job"] = [{**each, **self.job} for each in before or [{}]]
        whole["rule"] = [*(dict(each) for each in self.rules)]
        whole["name"] = self.name
        return scenario_to_dict(scenario_from_dict(whole))


@frozen(kw_only=True)
class _File:
    mutants: tuple[BrokenBackend, ...] = word(
        array(table(BrokenBackend, "a mutant"), 500),
        "the broken backends",
        default=(),
        name="mutant",
    )
    benign: tuple[BrokenBackend, ...] = word(
        array(table(BrokenBackend, "a variant"), 500),
        "the benign variants",
        default=(),
        name="benign",
    )


_FILE: Final[Shape[_File]] = table(_File, "the broken backends and the benign variants")


def broken_backends(requirements: Mapping[str, Requirement]) -> Sequence[BrokenBackend]:
    """Return the broken backends; raise ReadingError if `mutants.toml` is invalid."""
    return _read(requirements).mutants


def benign_backends(requirements: Mapping[str, Requirement]) -> Sequence[BrokenBackend]:
    """Return the conforming scenario itself and the benign variants.

    Raise ReadingError if `mutants.toml` is invalid.
    """
    itself = BrokenBackend(name="conforming.itself", what="The conforming scenario.")
    return (itself, *_read(requirements).benign)


def _read(requirements: Mapping[str, Requirement]) -> _File:
    def read(document: Mapping[str, Json]) -> _File:
        found, mistakes = _FILE.read(document, ""), Mistakes()
        for each in (*found.mutants, *found.benign):
            with mistakes.collected():
                for rule in each.breaks:
                    check_known(rule, tuple(requirements), each.name)
                each.scenario()
        names = [each.name for each in (*found.mutants, *found.benign)]
        if duplicated := [name for name in names if names.count(name) > 1]:
            raise ScenarioError(f"{duplicated[0]}: appears twice")
        mistakes.settle()
        return found

    return read_toml(FILE.name, read_text(FILE), read)


@contextmanager
def served(broken: BrokenBackend) -> Generator[Sequence[str]]:
    """Write the scenario of a backend to a file; yield the command line that serves it."""
    with tempfile.TemporaryDirectory(prefix="arkor-") as folder:
        path = Path(folder) / "scenario.json"
        path.write_text(json.dumps(broken.scenario()), "utf-8")
        yield (sys.executable, "-P", "-m", "mock_server", "control", str(path))


@frozen(kw_only=True)
class BackendTrial:
    """The result of playing cases against one broken or benign backend."""

    broken: BrokenBackend
    caught: Mapping[str, Sequence[str]] = field(factory=dict[str, Sequence[str]])
    """Maps each case that failed because of rules in `breaks` to those rules."""
    wrong: Mapping[str, str] = field(factory=dict[str, str])
    """Maps each case that failed only because of rules outside `breaks` to its first finding."""
    played: int = 0
    missed: Mapping[str, str] = field(factory=dict[str, str])
    """Maps each case that was not judged to the reason."""
    problem: str = ""
    """Why the backend could not be judged at all; empty if it could."""

    @property
    def sound(self) -> bool:
        """True if the backend could be judged and no case failed, as required of a benign one."""
        return not (self.caught or self.wrong or self.problem)


async def tried(
    broken: BrokenBackend,
    cases: Sequence[BackendCase],
    *,
    patience: float = 1.0,
    lanes: int = 1,
    spare: Callable[[BackendCase], bool] = lambda _: False,
) -> BackendTrial:
    """Play cases against a backend; once a case has caught it, skip those that `spare` selects."""
    caught: dict[str, Sequence[str]] = {}
    wrong: dict[str, str] = {}
    missed: dict[str, str] = {}

    def note(played: Played) -> None:
        rules = [rule for finding in played.findings for rule in finding.requires]
        if right := [rule for rule in rules if rule in broken.breaks]:
            caught[played.case.id] = right
        elif played.findings:
            first = played.findings[0]
            why = f"{' '.join(rules)}: expected {first.expected}; got {first.actual}"
            wrong[played.case.id] = why
        if played.missed:
            missed[played.case.id] = played.missed

    with served(broken) as command:
        plan = BackendPlan(
            target=Target(),
            cases=cases,
            bounds=BOUNDS.times(patience),
            amounts=AMOUNTS,
            lanes=lanes,
            control=command,
            wanted=lambda case: not (caught and spare(case)),
        )
        run = BackendRun(plan, note)
        problem = ""
        try:
            await run.play()
        except ControlFailed as error:
            problem = str(error)
    return BackendTrial(
        broken=broken,
        caught=caught,
        wrong=wrong,
        missed=missed,
        played=len(run.played),
        problem=problem or (run.stopped if not caught else ""),
    )


@define
class BackendMatrix:
    """Shows which cases catch which broken backends."""

    trials: list[BackendTrial] = field(factory=list[BackendTrial])
    controls: list[BackendTrial] = field(factory=list[BackendTrial])
    seconds: float = 0.0

    @property
    def survivors(self) -> Sequence[BackendTrial]:
        """Return the broken backends that no case caught for the right reason."""
        return [each for each in self.trials if not each.caught]

    @property
    def blamed(self) -> Sequence[BackendTrial]:
        """Return the benign variants that failed a case or could not be judged."""
        return [each for each in self.controls if not each.sound]

    def is_useful(self, case: BackendCase) -> bool:
        """Return whether a case has caught any broken backend."""
        return any(case.id in each.caught for each in self.trials)

    def idle(self, cases: Sequence[BackendCase]) -> Sequence[BackendCase]:
        """Return the cases that caught no broken backend, except the `uncontrolled` ones."""
        useful = {name for each in self.trials for name in each.caught}
        return [case for case in cases if case.id not in useful and not case.uncontrolled]


async def backend_matrix(
    mutants: Sequence[BrokenBackend],
    benign: Sequence[BrokenBackend],
    cases: Sequence[BackendCase],
    on_end: Callable[[BackendTrial], None],
    *,
    lanes: int = 2,
    patience: float = 1.0,
    enough: bool = False,
) -> BackendMatrix:
    """Play each case against the benign backends and every backend that breaks one of its rules.

    `enough` saves time: once a broken backend has been caught, cases that have already caught
    another one are skipped for it. Moreover, only the first benign backend is tested with every
    case; the cases are divided among the other benign ones.
    """
    began = time.monotonic()
    found = BackendMatrix()

    async def play_sound(place: int, each: BrokenBackend) -> None:
        shared = enough and place > 0
        own = [c for n, c in enumerate(cases) if not shared or n % (len(benign) - 1) == place - 1]
        trial = await tried(each, own, patience=patience, lanes=4)
        found.controls.append(trial)
        on_end(trial)

    async def play_broken(each: BrokenBackend) -> None:
        about = [case for case in cases if set(case.requires) & set(each.breaks)]
        # One case at a time, so that the n-th request is the same in every run.
        spare = found.is_useful if enough else _never
        trial = await tried(each, about, patience=patience, spare=spare)
        found.trials.append(trial)
        on_end(trial)

    work = iter(
        [
            *(partial(play_sound, place, each) for place, each in enumerate(benign)),
            *(partial(play_broken, each) for each in mutants),
        ]
    )

    async def lane() -> None:
        for play in work:
            await play()

    async with anyio.create_task_group() as group:
        for _ in range(lanes):
            group.start_soon(lane)
    found.seconds = time.monotonic() - began
    return found


def _never(case: BackendCase) -> bool:
    del case
    return False
