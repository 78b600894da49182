"""Read case files from TOML, and report every mistake in a file with its place and line."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from attrs import evolve

from conformance.casefile.model import DEFAULT_CONFIG, Case, Expectation, Step
from conformance.casefile.nonces import Nonces
from conformance.casefile.requirements import PROFILE_NAMES, Requirement
from conformance.casefile.steps import check_gates, named, operations_of
from conformance.casefile.templates import expand
from conformance.casefile.words import CASE, FILE, CaseWords
from conformance.expect.reader import applies, expectations, premises
from conformance.strict_data import Json, ReadingError, read_text, read_toml, within
from conformance.trace.names import check_operation
from mock_server.scenario.model import BackendPlan
from mock_server.strict.mistakes import Mistakes, together
from mock_server.strict.shapes import ScenarioError, nearest

CASES: Final = Path(__file__).parents[1] / "cases"


def load_cases(
    requirements: Mapping[str, Requirement], directory: Path = CASES
) -> tuple[Case, ...]:
    """Read every case file in a directory, in order.

    Raise ReadingError for any mistake, such as an id that appears twice.
    """
    cases: list[Case] = []
    seen: set[str] = set()
    for path in sorted(directory.glob("*.toml")):
        for case in read_case_file(path.name, path.read_text("utf-8"), requirements):
            if case.id in seen:
                raise ReadingError(
                    f"{path.name}: {case.id}", "the id appears twice; ids must be unique"
                )
            if path.stem != case.family:
                raise ReadingError(f"{path.name}: {case.id}", f"belongs to {case.family}.toml")
            seen.add(case.id)
            cases.append(case)
    return tuple(cases)


def load_files(requirements: Mapping[str, Requirement], paths: Sequence[Path]) -> tuple[Case, ...]:
    """Read cases from files outside the catalogue; raise ReadingError if they are invalid.

    A file that is given twice is read once. Two cases with the same id are an error.
    """
    cases: dict[str, Case] = {}
    for path in dict.fromkeys(paths):
        found = read_case_file(path.name, read_text(path), requirements)
        if not found:
            raise ReadingError(path.name, "has no cases; write each case as a [[case]] table")
        for case in found:
            if (other := cases.get(case.id)) is not None:
                both = other.file != str(path)
                twice = f"is also in {other.file}" if both else "the id appears twice"
                raise ReadingError(f"{path.name}: {case.id}", f"{twice}; ids must be unique")
            cases[case.id] = evolve(case, file=str(path))
    return tuple(cases.values())


def read_case_file(
    name: str, text: str, requirements: Mapping[str, Requirement]
) -> tuple[Case, ...]:
    """Read the cases of one file: a list of `[[case]]` tables, or one case as the whole file.

    Raise ReadingError with every mistake in the file.
    """

    def read(document: Mapping[str, Json]) -> tuple[Case, ...]:
        if "id" in document:
            return _cases([("", document)], requirements)
        cases = FILE.read(document, "").cases
        return _cases([(f"case {n}", case) for n, case in enumerate(cases, 1)], requirements)

    return read_toml(name, text, read)


def read_case(where: str, values: Mapping[str, Json], known: Mapping[str, Requirement]) -> Case:
    """Read one expanded case; raise ReadingError if it is invalid."""
    with within(where):
        return _cases([("", values)], known)[0]


def filled(case: Case, nonces: Nonces) -> Case:
    """Return `case` ready to play, with its placeholders and the configuration defaults filled in.

    The backend's job ids begin with the nonce, unless the case has its own prefix.
    """
    found = nonces.fill(evolve(case, config={**DEFAULT_CONFIG, **case.config}))
    if not isinstance(found, Case):
        raise TypeError(found)
    scenario = found.server.scenario
    if scenario.backend.job_prefix != BackendPlan().job_prefix:
        return found
    backend = evolve(scenario.backend, job_prefix=nonces.job_prefix)
    return evolve(found, server=evolve(found.server, scenario=evolve(scenario, backend=backend)))


def _cases(
    tables: Iterable[tuple[str, Mapping[str, Json]]], known: Mapping[str, Requirement]
) -> tuple[Case, ...]:
    """Read cases from tables, each with its place; raise ScenarioError with every mistake."""
    cases: list[Case] = []
    mistakes = Mistakes()
    for at, values in tables:
        with mistakes.collected():
            cases += _expanded(at, values, known)
    mistakes.settle()
    return tuple(cases)


def _expanded(
    at: str, values: Mapping[str, Json], known: Mapping[str, Requirement]
) -> Iterator[Case]:
    """Read the cases that a table expands to; if several have the same mistake, report it once."""
    told: dict[tuple[str, str], ScenarioError] = {}
    for expanded in expand(at, values):
        try:
            yield _case(at, expanded, known)
        except ScenarioError as error:
            for each in error.each:
                told.setdefault((each.at, str(each)), _labelled(each, at, expanded.get("id")))
    if told:
        raise together(list(told.values()))


def _labelled(mistake: ScenarioError, at: str, identifier: Json) -> ScenarioError:
    """Return the error, naming the case by its id instead of by its number in the file."""
    if not isinstance(identifier, str):
        return mistake
    problem = str(mistake).removeprefix(at).removeprefix(".").removeprefix(": ")
    return ScenarioError(f"{identifier}: {problem}", at=mistake.at)


def _case(at: str, values: Mapping[str, Json], known: Mapping[str, Requirement]) -> Case:
    words = CASE.read(values, at)
    inside = f"{at}." if at else ""
    mistakes = Mistakes()
    with mistakes.collected():
        _check_rules(f"{inside}requires", words.requires, known)
    with mistakes.collected():
        check_gates(at, words.server.scenario, words.steps)
    for number, sleep in enumerate(words.hold, 1):
        with mistakes.collected():
            check_operation(f"{inside}hold {number}", sleep, ())
    steps = mistakes.take(lambda: named(words.steps, f"{inside}step"), ())
    mistakes.settle()
    profiles = mistakes.take(lambda: _profiles(at, words, known), ())
    premise = mistakes.take(
        lambda: premises(words.premise, f"{inside}premise", operations_of(steps), words.config), ()
    )
    expect = mistakes.take(lambda: _expect(f"{inside}expect", words, steps), ())
    mistakes.settle()
    return Case(
        id=words.id,
        requires=words.requires,
        level=words.level,
        profiles=profiles,
        needs=words.needs,
        why=words.why,
        config=words.config,
        server=words.server,
        hold=words.hold,
        steps=steps,
        expect=expect,
        source=values,
        premise=premise,
        applies=applies(words.applies),
        since=words.since,
    )


def _check_rules(where: str, requires: Sequence[str], known: Mapping[str, Requirement]) -> None:
    mistakes = Mistakes()
    for number, rule in enumerate(requires, 1):
        with mistakes.collected():
            if rule not in known:
                raise ScenarioError(
                    f"{where} {number}: {rule}: no such rule; {nearest(rule, known)}"
                )
    mistakes.settle()


def _profiles(at: str, words: CaseWords, known: Mapping[str, Requirement]) -> tuple[str, ...]:
    common = [
        name
        for name in PROFILE_NAMES
        if all(name in known[rule].profiles for rule in words.requires)
    ]
    profiles = words.profiles or tuple(common)
    if not profiles:
        raise ScenarioError(f"{at}: no profile has all the rules that the case requires")
    for profile in profiles:
        if profile not in common:
            raise ScenarioError(
                f"{at}: profile {profile} lacks a rule that the case requires; allowed: {common}"
            )
    return profiles


def _expect(where: str, words: CaseWords, steps: Sequence[Step]) -> tuple[Expectation, ...]:
    assertions = expectations(words.expect, where, operations_of(steps), words.config)
    if not assertions:
        raise ScenarioError(f"{where}: expects nothing, so it could never fail")
    cites = words.expect.cites
    cited = [_cited(cites, assertion.word) for assertion in assertions]
    mistakes = Mistakes()
    for key, rules in cites.items():
        place = f"{where}.cites.{key}"
        with mistakes.collected():
            if key not in cited:
                expected = {each.word.partition(" ")[0] for each in assertions}
                raise ScenarioError(f"{place}: {key!r} is not expected; {nearest(key, expected)}")
        with mistakes.collected():
            if strange := [rule for rule in rules if rule not in words.requires]:
                meant = nearest(strange[0], words.requires)
                raise ScenarioError(f"{place}: {strange[0]!r} is unknown; {meant}")
    mistakes.settle()
    return tuple(
        Expectation(assertion=assertion, requires=cites.get(key, words.requires))
        for assertion, key in zip(assertions, cited, strict=True)
    )


def _cited(cites: Mapping[str, Sequence[str]], assertion: str) -> str:
    """Return the key in `cites` that covers an assertion; an empty string if there is none."""
    keys = (assertion, assertion.partition(" ")[0], assertion.partition(".")[0])
    return next((key for key in keys if key in cites), "")
