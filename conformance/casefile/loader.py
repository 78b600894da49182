"""Case files: TOML in, cases out; strict, with errors that name the right word.

It knows every word of a case file but those of `server`, which are the mock's, and those of
`expect`, which the assertions read themselves. It refuses to know how a case runs.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from attrs import evolve

from conformance.casefile.gates import check_gates
from conformance.casefile.model import (
    DEFAULT_CONFIG,
    Case,
    Expectation,
    Operate,
    Step,
)
from conformance.casefile.nonces import Nonces
from conformance.casefile.requirements import PROFILE_NAMES, Level, Requirement
from conformance.casefile.steps import read_steps
from conformance.casefile.templates import expand
from conformance.expect.reader import read_applies, read_expectations, read_premise
from conformance.strict_data import (
    Json,
    ReadingError,
    Table,
    nearest,
    parse_toml,
    read_text,
    word,
)
from conformance.trace.events import CALLBACKS, ROUTES
from conformance.trace.names import check_reference
from conformance.words import CAPABILITIES, PROBED

CASES: Final = Path(__file__).parents[1] / "cases"
_ID: Final = re.compile(r"[a-z]+(\.[a-z0-9]+(-[a-z0-9]+)*)+(\[[^\[\]\s]+\])?")
_VERSION: Final = re.compile(r"[1-9][0-9]*(\.[0-9]+)*")
CONFIG_TEXTS: Final = ("token", "org", "project", "name", "job", "last_event_id")
CONFIG_NUMBERS: Final = ("initial_ms", "max_ms", "max_attempts", "idle_ms", "progress_ms")
_NEEDS: Final = (*CAPABILITIES, *PROBED)
JOB_MEMBERS: Final = ("id", "orgId", "projectId", "name", "status", "config", "createdAt")
"""What every job object has (section 5.12 of the specification)."""
TRIGGERS: Final = ("throw_in", "abort_in", "cancel_in")


def load_cases(
    requirements: Mapping[str, Requirement], directory: Path = CASES
) -> tuple[Case, ...]:
    """Read every case file of a directory, files and cases in their order.

    Raises ReadingError for anything that is not exactly right, an id that appears twice included.
    """
    cases: list[Case] = []
    seen: set[str] = set()
    for path in sorted(directory.glob("*.toml")):
        for case in read_case_file(path.name, path.read_text("utf-8"), requirements):
            if case.id in seen:
                raise ReadingError(
                    f"{path.name}: {case.id}", "the id appears twice; ids are unique"
                )
            if path.stem != case.family:
                raise ReadingError(f"{path.name}: {case.id}", f"belongs to {case.family}.toml")
            seen.add(case.id)
            cases.append(case)
    return tuple(cases)


def load_files(requirements: Mapping[str, Requirement], paths: Sequence[Path]) -> tuple[Case, ...]:
    """Read the cases of files that are no part of the catalogue; raises ReadingError.

    A file that is named twice is read once; an id that appears twice could not be told apart.
    """
    cases: dict[str, Case] = {}
    for path in dict.fromkeys(paths):
        for case in _of(path, requirements):
            if (other := cases.get(case.id)) is not None:
                both = other.file != str(path)
                twice = f"is in {other.file} as well" if both else "the id appears twice"
                raise ReadingError(f"{path.name}: {case.id}", f"{twice}; ids are unique")
            cases[case.id] = evolve(case, file=str(path))
    return tuple(cases.values())


def _of(path: Path, requirements: Mapping[str, Requirement]) -> tuple[Case, ...]:
    cases = read_case_file(path.name, read_text(path), requirements)
    if not cases:
        raise ReadingError(path.name, "has no case; write one as [[case]]")
    return cases


def read_case_file(
    name: str, text: str, requirements: Mapping[str, Requirement]
) -> tuple[Case, ...]:
    """Read the cases of one file: a list of `[[case]]`, or one case as the whole file."""
    table = Table(name, parse_toml(text, name))
    tables: Sequence[Mapping[str, Json]] = (table.values,)
    if not table.has("id"):
        tables = [case.values for case in table.tables("case")]
        table.finish()
    return tuple(_cases(name, tables, requirements))


def read_case(where: str, values: Mapping[str, Json], known: Mapping[str, Requirement]) -> Case:
    """Read one expanded case; raises ReadingError."""
    table = Table(where, values)
    identifier = table.text("id")
    if not _ID.fullmatch(identifier):
        raise ReadingError(
            where, f"{identifier!r} is not an id; write it like budget.ping-is-not-progress"
        )
    table.where = where = f"{where}: {identifier}"
    requires = _requires(table, known)
    steps = read_steps(table.tables("step"))
    config = _config(table.table("config"))
    case = Case(
        id=identifier,
        requires=requires,
        level=Level(table.one_of("level", [level.value for level in Level], "MUST")),
        profiles=_profiles(table, requires, known),
        needs=tuple(word(f"{where}: needs", need, _NEEDS) for need in table.texts("needs")),
        why=table.text("why"),
        config=config,
        server=_server(table.table("server")),
        hold=tuple(check_reference(f"{where}: hold", name, ()) for name in table.texts("hold")),
        steps=steps,
        expect=_expect(table.table("expect"), requires, config, steps),
        source=values,
        premise=read_premise(table.table("premise"), operations_of(steps), config),
        applies=read_applies(table.table("applies")),
        since=_since(table),
    )
    table.finish()
    check_gates(where, case.server, steps)
    return case


def _since(table: Table) -> str:
    since = table.text("since", "1")
    if not _VERSION.fullmatch(since):
        raise ReadingError(table.where, f"'since' is {since!r}; write a version such as '2'")
    return since


def filled(case: Case, nonces: Nonces, known: Mapping[str, Requirement]) -> Case:
    """Return `case` as it is played: its placeholders and its whole configuration filled in."""
    values = {str(key): nonces.fill(value) for key, value in case.source.items()}
    read = read_case(case.family, values, known)
    default = {key: nonces.fill(value) for key, value in DEFAULT_CONFIG.items()}
    return evolve(read, config={**default, **read.config}, file=case.file)


def _cases(
    name: str, tables: Iterable[Mapping[str, Json]], known: Mapping[str, Requirement]
) -> Iterator[Case]:
    for n, values in enumerate(tables, 1):
        identifier = values.get("id")
        where = f"{name}: {identifier}" if isinstance(identifier, str) else f"{name}: case[{n}]"
        for expanded in expand(where, values):
            yield read_case(name, expanded, known)


def _requires(table: Table, known: Mapping[str, Requirement]) -> tuple[str, ...]:
    requires = table.texts("requires")
    if not requires:
        raise ReadingError(table.where, "'requires' is missing: which rule is this about?")
    for identifier in requires:
        if identifier not in known:
            raise ReadingError(
                table.where, f"requires {identifier}, no such rule; {nearest(identifier, known)}"
            )
    return requires


def _profiles(
    table: Table, requires: Sequence[str], known: Mapping[str, Requirement]
) -> tuple[str, ...]:
    common = [
        name for name in PROFILE_NAMES if all(name in known[rule].profiles for rule in requires)
    ]
    profiles = table.texts("profiles") or tuple(common)
    if not profiles:
        raise ReadingError(table.where, "no profile has all the rules that it requires")
    for profile in profiles:
        word(f"{table.where}: profiles", profile, PROFILE_NAMES)
        if profile not in common:
            raise ReadingError(
                table.where,
                f"profile {profile} lacks a rule that the case requires; {common} have them all",
            )
    return profiles


def _config(table: Table) -> Mapping[str, Json]:
    for key in CONFIG_TEXTS:
        table.optional(key, table.text)
    for key in CONFIG_NUMBERS:
        table.optional(key, table.number)
    table.optional("input", table.table)
    for n, roll in enumerate(table.items("rng"), 1):
        if isinstance(roll, bool) or not isinstance(roll, int | float) or not 0 <= roll < 1:
            raise ReadingError(f"{table.where}: rng[{n}]", "not a number in [0, 1)")
    for key in TRIGGERS:
        if table.has(key):
            trigger = table.table(key)
            trigger.one_of("callback", CALLBACKS)
            trigger.count("nth", 1)
            trigger.finish()
    table.finish()
    return table.values


def _server(table: Table) -> Mapping[str, Json]:
    for key in table.values:
        if key not in ROUTES:
            table.has("scenario")
    for route in ROUTES:
        for answer in table.tables(route):
            _whole_job(answer)
    scenario = table.table("scenario")
    for rule in scenario.tables("rule"):
        _whole_job(rule)
    table.finish()
    return table.values


def _whole_job(answer: Table) -> None:
    """Refuse an answer with a part of a job: a client may check what it gets."""
    body = answer.values.get("json")
    job = body.get("job") if isinstance(body, Mapping) else None
    if isinstance(job, Mapping) and (missing := [key for key in JOB_MEMBERS if key not in job]):
        raise ReadingError(
            f"{answer.where}: json.job", f"a whole job has {', '.join(missing)} as well"
        )


def _expect(
    table: Table, requires: tuple[str, ...], config: Mapping[str, Json], steps: Sequence[Step]
) -> tuple[Expectation, ...]:
    cites = table.table("cites")
    found = tuple(
        Expectation(assertion=assertion, requires=_cited(cites, assertion.word, requires))
        for assertion in read_expectations(table, operations_of(steps), config)
    )
    cites.finish()
    if not found:
        raise ReadingError(table.where, "nothing is expected, so nothing could fail")
    return found


def operations_of(steps: Sequence[Step]) -> tuple[str, ...]:
    """Return the names of the operations that a case asks for, in order."""
    return tuple(step.name for step in steps if isinstance(step, Operate))


def _cited(cites: Table, assertion: str, requires: tuple[str, ...]) -> tuple[str, ...]:
    for key in (assertion, assertion.partition(" ")[0], assertion.partition(".")[0]):
        if cites.has(key):
            return tuple(word(f"{cites.where}: {key}", rule, requires) for rule in cites.texts(key))
    return requires
