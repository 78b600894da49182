"""Shards become the run that they are parts of, or one clear line says why they cannot."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Final

import pytest
from attrs import evolve

from arkor_proto import __version__
from conformance.casefile.model import Case
from conformance.casefile.selection import select
from conformance.casefile.shards import Shard, shard_of
from conformance.reports.run_json.merge import Merged, merge
from conformance.reports.run_json.pieces import part_of
from conformance.reports.run_json.saved import as_json, read_saved
from conformance.runner.run import Outcome
from conformance.runner.stack import Sight, Stack
from conformance.strict_data import Json, ReadingError, Table
from conformance.trace.events import Called, Failure, Settled, Trace
from conformance.verdict.known_failures import Known, weigh
from conformance.verdict.result import CaseResult, exit_of
from conformance.verdict.scope import Scope
from conformance.verdict.statuses import Exit, Verdict
from conformance.verdict.time_modes import DIVISOR, TimeMode, Timing
from tests.conformance.sample_case import RULES, one
from tests.conformance.sample_run import COMMAND, PROFILES, identity, recorded, result

TODAY: Final = date(2026, 6, 1)
BODY: Final = """
needs = [{needs}]
profiles = ["2026-05", "2026-07"]
step = [{{ do = "start" }}, {{ do = "wait" }}]
expect.connects = 1
"""
HEAD: Final = 'id = "{name}"\nrequires = ["ARK-BUD-1"]\nwhy = "So."\n'
NEEDS: Final = ("cancel", "abort", "concurrent", "callbacks.async", "config.backoff", "attach")
PROBE: Final = Stack({"truncation.chunks": Sight.TOLD, "truncation.length": Sight.MISSED})


def numbered(n: int) -> Case:
    needs = f'"{NEEDS[n % len(NEEDS)]}"'
    return one(BODY.format(needs=needs), head=HEAD.format(name=f"budget.case-{n}"))


CASES: Final = tuple(numbered(n) for n in range(20))
"""What there is to be judged in these tests."""


def refusing(*operations: str) -> Trace:
    trace = Trace()
    trace.append(Called("open"), 0.0)
    for operation in operations:
        trace.append(Settled(operation, {}, Failure("unsupported", None, "not here")), 0.0)
    return trace


def played(case: Case, profile: str, n: int) -> CaseResult:
    """Return a result; how it came out depends on the number of the case."""
    match n % 7:
        case 1:
            found = result(Verdict.FAIL, said=f"{n} requests", profile=profile)
        case 2:
            made = result(Verdict.NOT_APPLICABLE, profile=profile)
            why = "the driver does not declare attach"
            found = evolve(made, trace=Trace(), reason=why, lacking=("attach",))
        case 3:
            made = result(Verdict.NOT_APPLICABLE, profile=profile)
            why = "the driver does not support cancel: not here"
            found = evolve(made, trace=refusing("cancel", "abort"), reason=why)
        case 4:
            made = result(Verdict.NOT_APPLICABLE, profile=profile)
            why = "the driver could not open the case: not here"
            found = evolve(made, trace=refusing("open"), reason=why)
        case _:
            found = result(Verdict.PASS, profile=profile)
    return evolve(found, case=case)


def sound(case: Case, profile: str, n: int) -> CaseResult:
    return evolve(result(Verdict.PASS, said=f"{n}", profile=profile), case=case)


Plays = Callable[[Case, str, int], CaseResult]


class World:
    """A run of all CASES, or of those that match a pattern, whole and in shards."""

    def __init__(
        self,
        plays: Plays = played,
        *,
        of: int = 3,
        patterns: Sequence[str] = (),
        known: Sequence[Known] = (),
        strict: bool = False,
        timing: Timing | None = None,
    ) -> None:
        self.plays, self.of, self.patterns, self.known = plays, of, patterns, tuple(known)
        self.strict = strict
        self.timing = timing or Timing(TimeMode.VIRTUAL)
        self.chosen = select(CASES, (), patterns)

    def run(self, shard: Shard | None = None, *, left: int = 0) -> Mapping[str, Json]:
        """Return a run; of its cases the last `left` were not played."""
        scope = Scope.of(CASES, self.chosen, PROFILES, None, strict=self.strict, shard=shard)
        results = [
            self.plays(case, profile, CASES.index(case))
            for profile in PROFILES
            for case in self.chosen
            if shard is None or shard.has(case.id)
        ]
        marked = weigh(results, self.known, CASES, TODAY).results
        marked = marked[: len(marked) - left]
        outcome = Outcome(
            identity=identity(capabilities=NEEDS[:-1]),
            results=marked,
            seconds=1.5,
            stopped="6 cases hung" if left else "",
            left=left,
            total=len(results),
            timing=self.timing,
            stack=PROBE if shard is None or shard.number == self.of else None,
        )
        part = None
        if shard is not None:
            part = part_of(
                shard, scope, ids=(), patterns=self.patterns, profiles=PROFILES, known=self.known
            )
        return recorded(outcome, RULES, COMMAND, scope, part=part)

    def shards(self) -> list[str]:
        """Return the texts of all shards."""
        return [as_json(self.run(Shard(number, self.of))) for number in range(1, self.of + 1)]


def merged(texts: Sequence[str], folder: Path, cases: Sequence[Case] = CASES) -> Merged:
    """Save the runs and merge them, the last first."""
    paths = [folder / f"{n}.json" for n, _ in enumerate(texts, 1)]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text, "utf-8")
    return merge([*map(read_saved, reversed(paths))], RULES, cases, cases, TODAY)


def refused(texts: Sequence[str], folder: Path, cases: Sequence[Case] = CASES) -> list[str]:
    with pytest.raises(ReadingError) as raised:
        merged(texts, folder, cases)
    return [each.replace(f"{folder}/", "") for each in raised.value.mistakes]


def without_seconds(run: Mapping[str, Json]) -> Mapping[str, Json]:
    return {key: value for key, value in run.items() if key != "seconds"}


def whole(world: World) -> Mapping[str, Json]:
    found: Mapping[str, Json] = json.loads(as_json(world.run()))
    return without_seconds(found)


@pytest.mark.parametrize("of", [1, 2, 3, 7])
@pytest.mark.parametrize("plays", [played, sound])
def test_a_merged_run_is_the_run_without_shards(plays: Plays, of: int, tmp_path: Path) -> None:
    world = World(plays, of=of)
    found = merged(world.shards(), tmp_path)
    assert without_seconds(found.data) == whole(world)
    assert Table("run", found.data).number("seconds") == 1.5 * of


def test_known_failures_proposals_and_scaled_time_are_merged_too(tmp_path: Path) -> None:
    known = [Known(case="budget.case-1", reason="not yet", expires=date(2027, 1, 1))]
    scaled = Timing(TimeMode.SCALED, DIVISOR)
    world = World(known=known, strict=True, timing=scaled)
    found = merged(world.shards(), tmp_path)
    assert without_seconds(found.data) == whole(world)
    counted = Table("run", found.data).tables("profiles")[0].table("counts")
    assert counted.count("known-failure") == 1


def test_the_exit_status_is_that_of_the_whole(tmp_path: Path) -> None:
    assert exit_of(merged(World(played).shards(), tmp_path).outcome.results) is Exit.FAILED
    assert exit_of(merged(World(sound).shards(), tmp_path).outcome.results) is Exit.OK


def test_a_shard_claims_no_more_than_its_cases() -> None:
    first = Table("run", World(sound, of=2).run(Shard(1, 2)))
    mine = sum(shard_of(case.id, 2) == 1 for case in CASES)
    profile = first.tables("profiles")[0]
    assert profile.text("rank") == "conforms in part"
    assert profile.text("verdict") == f"conforms in shard 1 of 2 ({mine} of 20 cases)"
    assert first.table("specification").text("said").endswith(", shard 1 of 2")


def test_a_shard_of_some_cases_says_of_which() -> None:
    world = World(sound, of=2, patterns=["budget.case-1*"])
    profile = Table("run", world.run(Shard(2, 2))).tables("profiles")[0]
    mine = sum(shard_of(case.id, 2) == 2 for case in world.chosen)
    assert profile.text("verdict") == f"conforms in shard 2 of 2 ({mine} of the 11 cases chosen)"


def test_a_shard_without_any_of_the_cases_is_not_missed(tmp_path: Path) -> None:
    world = World(sound, of=9, patterns=["budget.case-1"])
    needed = {shard_of(case.id, 9) for case in world.chosen}
    assert len(needed) < 9
    texts = [as_json(world.run(Shard(number, 9))) for number in sorted(needed)]
    found = merged(texts, tmp_path)
    assert without_seconds(found.data) == whole(world)


def test_stale_knowledge_shows_when_all_shards_are_there(tmp_path: Path) -> None:
    known = [Known(case="budget.case-5", reason="not yet"), Known(case="budget.no", reason="?")]
    first, second = merged(World(known=known).shards(), tmp_path).stale
    assert first.startswith("budget.case-5: passes now; remove the entry from the baseline")
    assert second.startswith("budget.no: no such case; ")


def test_a_shard_that_was_stopped_makes_the_whole_partial(tmp_path: Path) -> None:
    world = World(sound)
    texts = [*world.shards()[:2], as_json(world.run(Shard(3, 3), left=2))]
    found = merged(texts, tmp_path)
    missing = Table("run", found.data).table("partial").text("said")
    assert missing == "partial: 2 of 40 cases were not played (shard 3 of 3: 6 cases hung)"
    last = Table("run", found.data).tables("profiles")[1]
    assert last.text("rank") == "not judged in full"


def test_a_shard_that_is_missing_or_duplicated_is_named(tmp_path: Path) -> None:
    first, second, third = World().shards()
    lacks = "report merge: shard 2 of 3 is missing; run it with --shard 2/3"
    assert refused([first, third], tmp_path) == [lacks]
    assert refused([first, second, second, third], tmp_path) == [
        "report merge: shard 2 of 3 was given more than once: 3.json, 2.json"
    ]
    assert refused([first, first, third], tmp_path)[1:] == [lacks]
    assert refused([first], tmp_path) == [
        "report merge: of 3 shards, these are missing: 2, 3; run each with --shard I/3"
    ]
    (many,) = refused(World(of=60).shards()[:1], tmp_path)
    assert many.endswith(" more; run each with --shard I/60")


def test_a_whole_run_is_not_a_shard(tmp_path: Path) -> None:
    said = "1.json: is not a shard: it was run without --shard"
    assert refused([as_json(World().run())], tmp_path) == [said]


def result_lines(text: str) -> list[str]:
    return [line for line in text.splitlines(keepends=True) if line.startswith('{"case":')]


def test_a_case_that_is_missing_or_duplicated_is_named(tmp_path: Path) -> None:
    first, second, third = World().shards()
    one_of_them = result_lines(second)[0]
    name = json.loads(one_of_them.rstrip(",\n"))["case"]
    for text, said in (
        (second.replace(one_of_them, ""), f"lacks 1 of its cases: {name}@2026-05"),
        (second.replace(one_of_them, one_of_them * 2), f"has repeated cases: {name}@2026-05"),
        (
            second.replace(one_of_them, one_of_them + result_lines(third)[0]),
            "has cases that do not belong to shard 2 of 3: budget.case-",
        ),
    ):
        assert text != second
        (line,) = refused([first, text, third], tmp_path)
        assert line.startswith(f"2.json: {said}")


def test_a_shard_that_lacks_more_than_it_says_is_named(tmp_path: Path) -> None:
    world = World(sound)
    text = as_json(world.run(Shard(3, 3), left=2))
    dropped = text.replace(result_lines(text)[0], "")
    (line,) = refused([*world.shards()[:2], dropped], tmp_path)
    assert line.startswith("3.json: lacks 3 of its cases, but says that it left out 2: ")


DIFFERENT: Final = {
    "kit": (
        f'"kit": "{__version__}"',
        '"kit": "9"',
        f"kit is version 9, but in 1.json it is version {__version__}",
    ),
    "specification": ('{"version":"2"', '{"version":"1"', "specification is version 1, but in"),
    "cases": ('"cases":"', '"cases":"00', "set of cases is 00"),
    "of": ('"of":3', '"of":4', "number of shards is 4, but in 1.json it is 3"),
    "filters": (
        '"filters":[]',
        '"filters":["x"]',
        "choice of cases is x, but in 1.json it is empty",
    ),
    "strict": ('"strict": false', '"strict": true', "--strict is on, but in 1.json it is off"),
    "time": ('"said":"virtual time"', '"said":"real time"', "time is real time, but in"),
    "client": ('"version":"1","profiles"', '"version":"3","profiles"', "client is probe 3, but in"),
    "capabilities": ('["abort",', "[", "set of client capabilities is callbacks.async, cancel, "),
    "gaps": (
        '"declared_gaps":{}',
        '"declared_gaps":{"a":"b"}',
        "set of declared_gaps is a, but in",
    ),
    "known": (
        '"known":[]',
        '"known":[{"case":"a","reason":"b"}]',
        "baseline is a, but in 1.json it is",
    ),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_shards_of_different_runs_are_refused(what: str, tmp_path: Path) -> None:
    here, there, said = DIFFERENT[what]
    first, second, third = World().shards()
    changed = second.replace(here, there)
    assert changed != second
    (line,) = refused([first, changed, third], tmp_path)
    assert line.startswith(f"2.json: is from another run: its {said}")


def test_shards_whose_probes_saw_different_stacks_are_refused(tmp_path: Path) -> None:
    first, second, third = World().shards()
    seen = '"stack": {"why":"","truncation.chunks":"not found out"}'
    changed = second.replace('"stack": null', seen)
    said = "3.json: its client's HTTP stack differs from the one in 2.json"
    assert refused([first, changed, third], tmp_path) == [said]


def test_shards_of_another_kit_or_of_other_cases_are_refused(tmp_path: Path) -> None:
    old = [text.replace(f'"kit": "{__version__}"', '"kit": "0.0.9"') for text in World().shards()]
    assert refused(old, tmp_path) == [
        f"1.json: written by version 0.0.9 of the kit; merge it with that version, not {__version__}"
    ]
    assert refused(World().shards(), tmp_path, CASES[1:]) == [
        "1.json: its cases differ from this kit's; merge it with the version of the kit that wrote it"
    ]
    files = [text.replace('"files":[]', '"files":["my.toml"]') for text in World().shards()]
    assert refused(files, tmp_path, CASES[1:]) == [
        "1.json: its cases differ from the ones loaded; pass the files of its run: --file my.toml"
    ]


@pytest.mark.parametrize(
    ("here", "there", "said"),
    [
        ('"number":2,"of":3', '"number":4,"of":3', "shard 4 of 3 does not exist"),
        ('"number":2', '"number":0', "shard.number: 0 (integer) is not a whole number from 1"),
        (
            '"requires":["ARK-BUD-1"],"expected"',
            '"requires":["X"],"expected"',
            ": 'X' is not a rule",
        ),
        (
            '"said":"virtual time"',
            '"said":"no time"',
            "time.said: 'no time' does not describe virtual time",
        ),
    ],
)
def test_a_shard_that_contradicts_itself_is_refused(
    here: str, there: str, said: str, tmp_path: Path
) -> None:
    texts = [text.replace(here, there) for text in World().shards()]
    assert any(said in line for line in refused(texts, tmp_path))
