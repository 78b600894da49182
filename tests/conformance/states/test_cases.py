"""Counter-examples as cases: each fails against the planted fault and passes against the reference."""

import random
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import anyio
import pytest
from attrs import evolve

from arkor_proto import HARDENED, PROFILES, Profile
from conformance.casefile.loader import load_files
from conformance.casefile.model import Case
from conformance.casefile.requirements import load_requirements
from conformance.diagnosis.diagnose import REFERENCE
from conformance.drivers import own
from conformance.explore.schedules import case_file
from conformance.runner.run import Plan, run
from conformance.states.as_case.case import about, case_of
from conformance.states.as_case.script import NotACase
from conformance.states.as_case.sound_client import SoundClient
from conformance.states.graph import Breach
from conformance.states.promises import MISUSE, PROMISES
from conformance.states.worlds import WORLDS, Setting
from conformance.verdict.statuses import Verdict
from tests.conformance.states.planted import FAULTS, counter_example

KNOWN = load_requirements()
QUICK = {
    "resume.starts-over",
    "create.overlapping-starts-submit-twice",
    "stream.takes-a-break-for-the-result",
    "abort.abort-cancels-the-job",
    "budget.counts-a-clean-end",
}
CASES = [
    pytest.param(*fault, marks=() if fault[0] in QUICK else pytest.mark.thorough, id=fault[0])
    for fault in FAULTS
]


def verdict(case: Case, command: Sequence[str]) -> str:
    outcome = anyio.run(run, Plan(command=command, cases=[case], patience=5.0))
    return outcome.results[0].verdict.value


def read_back(case: Case, text: str, folder: Path) -> Case:
    path = folder / "case.toml"
    path.write_text(text, "utf-8")
    (found,) = load_files(KNOWN, [path])
    assert found.expect == case.expect
    assert found.steps == case.steps
    return found


@pytest.mark.parametrize(("name", "world", "profile", "rule"), CASES)
def test_the_case_fails_against_the_fault_and_passes_against_the_reference(
    name: str, world: str, profile: Profile, rule: str, tmp_path: Path
) -> None:
    setting, breach = WORLDS[world], counter_example(name, world, profile)
    case = case_of(setting, profile, breach, KNOWN)
    assert case.requires == (rule,)
    case = read_back(case, case_file(case, about(setting, profile, breach)), tmp_path)
    assert verdict(case, own("mutants.driver", name)) == "fail"
    assert verdict(case, REFERENCE) == "pass"


def case_after(world: str, *moves: str) -> Case:
    """Return the case of a trace after which any promise is broken."""
    breach = Breach(moves, PROMISES["ARK-ERR-10"], "it goes wrong")
    return case_of(WORLDS[world], HARDENED, breach, KNOWN)


@pytest.mark.parametrize(
    ("world", "moves", "why"),
    [
        ("leave", ("follow", "leave"), "leaves a wait"),
        (
            "leave",
            ("follow", "stream accepts", "stream event", "follow"),
            r"calls wait\(\) during a callback",
        ),
        (
            "cancel-wait",
            (
                *("follow", "stream accepts", "stream event", "cancel", "cancel accepts"),
                *("handled", "stream event", "cancel"),
            ),
            r"calls cancel\(\) in two callbacks",
        ),
        (
            "follow",
            (
                *("follow", "stream accepts", "stream event", "fails", "follow"),
                *("stream accepts", "stream event", "fails"),
            ),
            "two of its callbacks raise",
        ),
        (
            "cancel-wait",
            ("follow", "stream accepts", "stream event", "cancel", "handled"),
            r"ends before the cancel\(\) it called",
        ),
        (
            "cancel-wait",
            ("follow", "stream accepts", "stream event", "cancel", "cancel refuses"),
            r"the cancel\(\) that its callback calls fails",
        ),
        (
            "cancel-wait",
            ("cancel", "follow", "cancel breaks"),
            "its cancel request breaks after another move",
        ),
    ],
)
def test_what_no_case_expresses_is_refused_with_the_reason(
    world: str, moves: tuple[str, ...], why: str
) -> None:
    with pytest.raises(NotACase, match=why):
        case_after(world, *moves)


def test_a_report_that_is_never_true_is_no_case() -> None:
    with pytest.raises(NotACase, match="passes the session invalid input"):
        case_of(WORLDS["follow"], HARDENED, Breach((), MISUSE, "it was not refused"), KNOWN)


SITUATIONS = {
    "two-waits": ("submit", ("follow", "follow", "create accepts", "follow", "stream accepts")),
    "a-wait-beside-a-start": ("submit", ("start", "follow", "create refuses", "start")),
    "a-create-that-breaks": ("submit", ("start", "create breaks", "follow")),
    "a-create-that-breaks-later": ("submit", ("follow", "start", "create breaks", "start")),
    "a-cancel-during-the-create": ("cancel", ("start", "cancel", "create accepts", "cancel")),
    "a-cancel-that-is-refused": ("cancel-wait", ("cancel", "cancel refuses", "cancel")),
    "a-cancel-after-one-that-broke": ("cancel-wait", ("cancel", "cancel breaks", "cancel")),
    "an-abort-of-an-open-stream": ("leave", ("follow", "stream accepts", "abort", "follow")),
    "an-abort-during-a-delay": ("leave", ("follow", "stream breaks", "abort")),
    "an-abort-while-it-opens": ("leave", ("follow", "abort")),
    "an-abort-during-an-error": ("leave", ("follow", "stream refuses", "abort")),
    "an-abort-in-a-callback": (
        "leave",
        ("follow", "stream accepts", "stream burst", "abort", "handled", "follow"),
    ),
    "an-abort-during-the-create": ("submit", ("follow", "abort", "create accepts", "start")),
    "a-callback-that-raises": (
        "follow",
        ("follow", "stream accepts", "stream event", "fails", "follow"),
    ),
    "a-callback-that-cancels": (
        "cancel-wait",
        ("follow", "stream accepts", "stream event", "cancel", "cancel accepts", "handled"),
    ),
    "a-cancel-during-a-delay": (
        "cancel-wait",
        ("follow", "stream ends", "cancel", "cancel accepts", "tick"),
    ),
    "a-job-that-is-asked-about": (
        "follow",
        (
            *("follow", "stream accepts", "stream event", "handled", "stream ends", "tick"),
            *("stream accepts", "stream ping", "stream ends", "job refuses", "tick"),
        ),
    ),
    "a-wait-after-the-budget": (
        "follow",
        ("follow", "stream breaks", "tick", "stream refuses", "stream ends", "follow"),
    ),
    "a-log-that-is-sent-again": (
        "resend",
        ("follow", "stream accepts", "stream burst", "handled", "stream breaks", "tick"),
    ),
}


@pytest.mark.parametrize(
    ("world", "moves"),
    [
        pytest.param(*each, id=name, marks=() if number % 3 == 0 else pytest.mark.thorough)
        for number, (name, each) in enumerate(SITUATIONS.items())
    ],
)
def test_the_reference_passes_the_case_of_any_situation(
    world: str, moves: tuple[str, ...], tmp_path: Path
) -> None:
    case = case_after(world, *moves)
    case = read_back(case, case_file(case), tmp_path)
    assert verdict(case, REFERENCE) == "pass"


def walk(seed: int, most: int = 16) -> tuple[Setting, Profile, tuple[str, ...]]:
    """Return random moves of a client that keeps every promise, and where it makes them."""
    rng = random.Random(seed)  # noqa: S311 - must be repeatable
    setting, profile = rng.choice([*WORLDS.values()]), rng.choice(PROFILES)
    client = SoundClient(profile, setting.attached, setting.remembers)
    moves: list[str] = []
    for _ in range(rng.randint(2, most)):
        can = [*client.moves()]
        says = [move for move in setting.says if move != "leave"]
        move = rng.choice(can if can and rng.random() < 0.75 else says)
        if not (client.is_busy and move in {"start", "follow"}):
            client.move(move)
            moves.append(move)
    return setting, profile, tuple(moves)


def cases_of_walks(seeds: range) -> Iterator[Case]:
    for seed in seeds:
        setting, profile, moves = walk(seed)
        rule = ("ARK-ERR-10", "ARK-BUD-6")[seed % 2]
        with suppress(NotACase):
            case = case_of(setting, profile, Breach(moves, PROMISES[rule], "it goes wrong"), KNOWN)
            yield evolve(case, id=f"{case.id}-{seed}")


@pytest.mark.parametrize(
    "seeds", [range(40), pytest.param(range(40, 640), marks=pytest.mark.thorough)], ids=str
)
def test_the_reference_passes_the_cases_of_random_moves(seeds: range) -> None:
    cases = [*cases_of_walks(seeds)]
    assert len(cases) > 0.9 * len(seeds)
    outcome = anyio.run(run, Plan(command=REFERENCE, cases=cases, patience=5.0))
    assert [each.case.id for each in outcome.results if each.verdict is not Verdict.PASS] == []


def test_the_file_of_a_case_begins_with_the_moves() -> None:
    breach = Breach(("start", "start"), PROMISES["ARK-CRE-3"], "two creates were sent")
    setting = WORLDS["cancel"]
    case = case_of(setting, HARDENED, breach, KNOWN)
    text = case_file(case, about(setting, HARDENED, breach))
    assert text.startswith(
        "# Found by `arkor-conformance states` (cancel, hardened):\n"
        "#    1  the application calls start()\n"
    )
    assert tomllib.loads(text)["server"]["create"] == [{"stall": {"gate": "gate-1"}}, {}]


def test_what_goes_round_for_ever_is_a_case_that_ends_with_the_budget() -> None:
    way = ("follow", "stream accepts", "stream ping", "stream breaks", "tick")
    breach = Breach(way, PROMISES["ARK-BUD-6"], "this can go on for ever", loop=1)
    case = case_of(WORLDS["follow"], HARDENED, breach, KNOWN)
    assert case.source["expect"] == {
        "requests": {"create": 0, "stream": 2, "cancel": 0, "job": 0},
        "last_event_ids": [False, False],
        "sleeps": [1000],
        "callbacks": [],
        "result": {"wait": {"error": "gave_up"}},
    }
    assert verdict(case, REFERENCE) == "pass"


def test_the_guide_has_the_number_of_planted_faults() -> None:
    guide = Path(__file__).parents[3] / "docs" / "states.md"
    assert (
        f"The tests plant {len(FAULTS)} faults in the session, one at a time."
        in guide.read_text("utf-8")
    )
