"""Turn a run into plain data, `run.json`, the source of all reports.

`spec/schemas/run.schema.json` describes the format. All verdicts and counts in reports are derived
here, so that all reports agree.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from arkor_proto import __version__
from arkor_proto.cli import quoting
from conformance.casefile.requirements import Level, Requirement, is_newer
from conformance.diagnosis.diagnose import Diagnosis
from conformance.plain import shortened
from conformance.reports.run_json.circumstances import Circumstances
from conformance.reports.run_json.explained import Explained
from conformance.reports.run_json.inapplicable import groups
from conformance.reports.run_json.telling import LONGEST_LINE, LONGEST_TEXT, Events, Telling
from conformance.reports.run_json.words import SCHEMA
from conformance.runner.run import Outcome
from conformance.runner.stack import Stack
from conformance.strict_data import Json
from conformance.verdict.claim import Claim, Judged, claim, not_played
from conformance.verdict.result import CaseResult
from conformance.verdict.scope import Scope
from conformance.verdict.standing import Standing, Tally, tally
from conformance.verdict.statuses import Verdict
from conformance.verdict.time_modes import TimeMode


def record(
    outcome: Outcome,
    requirements: Mapping[str, Requirement],
    command: Sequence[str],
    scope: Scope,
    *,
    diagnosis: Diagnosis,
    circumstances: Circumstances,
    part: Mapping[str, Json] | None = None,
) -> Mapping[str, Json]:
    """Return the run as plain data.

    `command` starts the driver; it is empty for the reference client. `part` describes the shard;
    it is None if the run is not sharded.
    """
    events = Events()
    command_of = partial(rerun, command=command, mode=outcome.timing.mode)
    explained = Explained.of(diagnosis, outcome.results)
    told = results(outcome.results, explained, events, command_of)
    return {
        **summary(
            outcome,
            requirements,
            command,
            scope,
            explained=explained,
            circumstances=circumstances,
            part=part,
        ),
        "events": events.distinct(),
        "results": told,
    }


def results(
    found: Sequence[CaseResult],
    explained: Explained,
    events: Events,
    command_of: Callable[[CaseResult], str],
) -> Sequence[Json]:
    """Return the results, each with its trace and its diagnosis."""
    return [
        {
            **Telling.of(each, events, explained.parted(place)).result(command_of(each)),
            **explained.result(place, events),
        }
        for place, each in enumerate(found)
    ]


def summary(
    outcome: Outcome,
    requirements: Mapping[str, Requirement],
    command: Sequence[str],
    scope: Scope,
    *,
    explained: Explained,
    circumstances: Circumstances,
    part: Mapping[str, Json] | None = None,
) -> Mapping[str, Json]:
    """Return the run as plain data, but without the results of cases and without events."""
    by_profile: dict[str, list[CaseResult]] = {
        name: [] for name, planned in scope.chosen.items() if planned
    }
    for result in outcome.results:
        by_profile.setdefault(result.profile, []).append(result)
    tallies = {
        name: tally(name, results, requirements, scope) for name, results in by_profile.items()
    }
    cited = {rule for each in outcome.results for found in each.findings for rule in found.requires}
    return {
        "schema": SCHEMA,
        "kit": __version__,
        "judged": "client",
        "date": circumstances.date,
        "host": circumstances.host,
        "specification": {"version": scope.version, "cases": scope.digest, "said": str(scope)},
        "strict": scope.strict,
        "client": _client(outcome, command),
        "backend": None,
        "seconds": round(outcome.seconds, 3),
        "time": {"mode": outcome.timing.mode.value, "said": str(outcome.timing)},
        "bounds": {},
        "stack": _stack(outcome.stack),
        "partial": partial_run(outcome.stopped, outcome.left, outcome.total),
        "shard": part,
        "profiles": [
            profile(
                name,
                results,
                claim(_judged(name, results, outcome, scope, tallies[name].musts)),
                tallies[name],
            )
            for name, results in by_profile.items()
        ],
        "not_applicable": list(groups(outcome, tallies)),
        "causes": explained.causes(),
        "notes": [explained.diagnosis.note] if explained.diagnosis.note else [],
        "requirements": {
            rule.id: requirement(rule)
            for rule in requirements.values()
            if not is_newer(rule.since, scope.version) or rule.id in cited
        },
    }


def rerun(result: CaseResult, command: Sequence[str], mode: TimeMode = TimeMode.VIRTUAL) -> str:
    """Return the command that runs only this case, in the same time mode."""
    file = ["--file", result.case.file] if result.case.file else []
    chosen = ["--case", result.case.id, "--profile", result.profile]
    chosen += ["--time", mode.value] if mode is not TimeMode.VIRTUAL else []
    parts = ["arkor-conformance", "run", *file, *chosen]
    return quoting.joined([*parts, *(["--", *command] if command else [])])


def _judged(
    name: str,
    results: Sequence[CaseResult],
    outcome: Outcome,
    scope: Scope,
    musts: frozenset[str],
) -> Judged:
    return Judged(
        profile=name,
        results=results,
        identity=outcome.identity,
        scope=scope,
        timing=outcome.timing,
        musts=musts,
        stopped=shortened(outcome.stopped, LONGEST_LINE),
    )


def _client(outcome: Outcome, command: Sequence[str]) -> Json:
    identity = outcome.identity
    return {
        "implementation": shortened(identity.implementation, LONGEST_LINE),
        "version": shortened(identity.version, LONGEST_LINE),
        "profiles": list(identity.profiles),
        "capabilities": sorted(identity.capabilities),
        "declared_gaps": {
            case: shortened(reason, LONGEST_TEXT) for case, reason in identity.declared_gaps.items()
        },
        "command": list(command),
    }


def profile(name: str, results: Sequence[CaseResult], found: Claim, counted: Tally) -> Json:
    """Return the verdict for a profile and the counts that support it."""
    counts = Counter(result.verdict for result in results)
    return {
        "name": name,
        "rank": found.rank.value,
        "verdict": found.words,
        "holds": list(found.holds),
        "lacks": list(found.lacks),
        "remarks": list(found.remarks),
        "unplayed": found.unplayed,
        "counts": {verdict.value: counts[verdict] for verdict in Verdict if counts[verdict]},
        "MUST": _level(counted, Level.MUST),
        "SHOULD": _level(counted, Level.SHOULD),
        "apart": {"broken": list(counted.apart), "cases": counted.cases(counted.apart)},
        "sources": dict(counted.sources),
        "not_reached": {"cases": counted.not_reached, "because": dict(counted.because)},
        "unruled": counted.unruled,
        "rules": {rule: standing.value for rule, standing in counted.rules.items()},
    }


def _level(counted: Tally, level: Level) -> Json:
    broken = counted.of(level, Standing.BROKEN)
    return {
        "broken": list(broken),
        "cases": counted.cases(broken),
        "known": len(counted.of(level, Standing.KNOWN)),
        "hold": len(counted.of(level, Standing.HOLDS)),
        "not_judged": len(counted.of(level, Standing.NOT_JUDGED)),
    }


def partial_run(stopped: str, left: int, total: int) -> Json:
    """Return how many cases were not played and why, or null if the run is complete."""
    if not stopped:
        return None
    why = shortened(stopped, LONGEST_LINE)
    return {
        "why": why,
        "left": left,
        "of": total,
        "said": f"partial: {not_played(left, total, why)}",
    }


def _stack(stack: Stack | None) -> Json:
    """Return the result of the start-up probe, or None if no case needed it."""
    if stack is None:
        return None
    return {"why": stack.why, **{word: sight.value for word, sight in stack.sights.items()}}


def requirement(rule: Requirement) -> Json:
    """Return the parts of a rule that reports show."""
    return {
        "level": rule.level.value,
        "source": str(rule.source),
        "text": " ".join(rule.text.split()),
        "why": rule.why,
        "profiles": list(rule.profiles),
        "excluded": rule.excluded,
    }
