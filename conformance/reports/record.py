"""A run as plain data: what every report is made of, and what machines read.

It knows the shape of `run.json` (`spec/schemas/run.schema.json`). It refuses to know any report.
"""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from conformance.catalogue import Outcome
from conformance.narration import actor, arrow, tell
from conformance.reading import Json
from conformance.specification import Level, Requirement
from conformance.trace import Event
from conformance.verdict import CaseResult, Finding
from conformance.verdict_words import Verdict

FORMAT: Final = "arkor-conformance-run/1"


def record(
    outcome: Outcome, requirements: Mapping[str, Requirement], command: Sequence[str]
) -> Mapping[str, Json]:
    """Return the run as plain data."""
    profiles = dict.fromkeys(result.profile for result in outcome.results)
    by_profile = {
        name: [result for result in outcome.results if result.profile == name] for name in profiles
    }
    return {
        "format": FORMAT,
        "client": {
            "implementation": outcome.identity.implementation,
            "version": outcome.identity.version,
            "capabilities": sorted(outcome.identity.capabilities),
            "command": list(command),
        },
        "seconds": round(outcome.seconds, 3),
        "profiles": [_profile(name, results) for name, results in by_profile.items()],
        "requirements": {rule.id: _requirement(rule) for rule in requirements.values()},
        "results": [_result(result, command) for result in outcome.results],
    }


def rerun(result: CaseResult, command: Sequence[str]) -> str:
    """Return the command that runs this case alone."""
    parts = ["arkor-conformance", "run", "--case", result.case.id, "--profile", result.profile]
    return shlex.join([*parts, *(["--", *command] if command else [])])


def conforms(results: Sequence[CaseResult]) -> str:
    """Return the verdict of a profile in one word: all that ran must hold."""
    counts = Counter(result.verdict for result in results)
    if counts[Verdict.ERROR]:
        return "not judged"
    if len(results) == counts[Verdict.NOT_APPLICABLE]:
        return "nothing ran"
    if any(result.verdict.fails for result in results):
        return "does not conform"
    return "conforms but for known failures" if counts[Verdict.KNOWN_FAILURE] else "conforms"


def _profile(name: str, results: Sequence[CaseResult]) -> Json:
    counts = Counter(result.verdict.value for result in results)
    return {"name": name, "verdict": conforms(results), "counts": dict(counts)}


def _requirement(rule: Requirement) -> Json:
    return {
        "level": rule.level.value,
        "must": rule.level is Level.MUST,
        "text": " ".join(rule.text.split()),
        "why": rule.why,
        "profiles": list(rule.profiles),
        "excluded": rule.excluded,
    }


def _result(result: CaseResult, command: Sequence[str]) -> Json:
    return {
        "case": result.case.id,
        "profile": result.profile,
        "family": result.case.family,
        "level": result.case.level.value,
        "requires": list(result.case.requires),
        "why": result.case.why,
        "verdict": result.verdict.value,
        "reason": result.reason,
        "seconds": round(result.seconds, 4),
        "rerun": rerun(result, command),
        "findings": [_finding(finding) for finding in result.findings],
        "trace": [_event(event) for event in result.trace.events],
    }


def _finding(finding: Finding) -> Json:
    return {
        "assertion": finding.assertion,
        "requires": list(finding.requires),
        "expected": finding.expected,
        "actual": finding.actual,
        "event": None if finding.event is None else finding.event.seq,
    }


def _event(event: Event) -> Json:
    """Return an event: number, milliseconds, who, to whom (or null), what, its names."""
    ends = arrow(event.fact)
    return {
        "n": event.seq,
        "ms": round(event.at * 1000, 1),
        "who": actor(event.fact),
        "to": None if ends is None else ends,
        "kind": type(event.fact).__name__.lower(),
        "text": tell(event.fact),
        "names": list(event.names),
    }
