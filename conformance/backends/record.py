"""Turn a run against a backend into plain data, in the format of the `run.json` of a client run."""

from collections.abc import Mapping, Sequence
from functools import partial

from attrs import frozen

from arkor_proto import __version__
from arkor_proto.cli import quoting
from conformance.backends.run import Outcome
from conformance.backends.verdict import claim_of, diagnosis_of
from conformance.casefile.requirements import Requirement
from conformance.plain import shortened
from conformance.reports.run_json.circumstances import Circumstances
from conformance.reports.run_json.explained import Explained
from conformance.reports.run_json.record import partial_run, profile, requirement, results
from conformance.reports.run_json.telling import LONGEST_LINE, Events
from conformance.reports.run_json.words import SCHEMA
from conformance.strict_data import Json, Table
from conformance.trace.describe import CLIENT, KIT
from conformance.verdict.result import CaseResult
from conformance.verdict.scope import Scope
from conformance.verdict.standing import Tally, tally, unjudged_musts
from conformance.verdict.statuses import Verdict


@frozen
class Asked:
    """The options of this run, which are repeated in the command line that reruns one case."""

    base_url: str = ""
    org: str = ""
    project: str = ""
    followed: str = ""
    job: str = ""
    ca_file: str = ""
    control: Sequence[str] = ()
    """The command that starts the control program; empty for the mock and if none is used."""

    def rerun(self, result: CaseResult, seed: int) -> str:
        """Return the command line that plays only this case."""
        options = {
            "--base-url": self.base_url,
            "--org": self.org,
            "--project": self.project,
            "--follow": self.followed,
            "--job": self.job,
            "--ca-file": self.ca_file,
            "--seed": str(seed) if seed else "",
        }
        parts = ["arkor-conformance", "backend", "--case", result.case.id]
        parts += ["--profile", result.profile]
        parts += [part for name, value in options.items() if value for part in (name, value)]
        if self.control:
            parts += ["--control", "--", *self.control]
        return quoting.joined(parts)


def backend_record(  # noqa: PLR0917 - what a record is made of
    outcome: Outcome,
    found: Sequence[CaseResult],
    requirements: Mapping[str, Requirement],
    scope: Scope,
    asked: Asked,
    circumstances: Circumstances,
) -> Mapping[str, Json]:
    """Return the run as plain data, with the access tokens removed."""
    plan = outcome.plan
    by_profile: dict[str, list[CaseResult]] = {name: [] for name, n in scope.chosen.items() if n}
    for result in found:
        by_profile.setdefault(result.profile, []).append(result)
    tallies = {name: tally(name, each, requirements, scope) for name, each in by_profile.items()}
    explained = Explained.of(diagnosis_of(found, requirements), found)
    events = Events()
    told = results(found, explained, events, partial(asked.rerun, seed=plan.seed))
    left = len(plan.cases) - len(outcome.played)
    why = shortened(outcome.target.hide(outcome.stopped), LONGEST_LINE)
    return {
        "schema": SCHEMA,
        "kit": __version__,
        "judged": "backend",
        "date": circumstances.date,
        "host": circumstances.host,
        "specification": {"version": scope.version, "cases": scope.digest, "said": str(scope)},
        "strict": scope.strict,
        "client": {
            "implementation": outcome.implementation or outcome.target.url,
            "version": outcome.version,
            "profiles": list(by_profile),
            "capabilities": sorted(outcome.words),
            "declared_gaps": {},
            "command": list(asked.control),
        },
        "backend": {
            "address": outcome.target.url,
            "org": outcome.target.org,
            "project": outcome.target.project,
            "followed": plan.followed,
            "jobs": len(outcome.made),
        },
        "seconds": round(outcome.seconds, 3),
        "time": {"mode": "real", "said": "real time"},
        "bounds": plan.bounds.plain(),
        "stack": None,
        "partial": partial_run(why, left, len(plan.cases)) if left else None,
        "shard": None,
        "profiles": [
            profile(name, each, claim_of(name, each, tallies[name], scope, why), tallies[name])
            for name, each in by_profile.items()
        ],
        "not_applicable": list(_groups(found, tallies, outcome)),
        "causes": explained.causes(),
        "notes": list(_notes(outcome)),
        "requirements": {rule.id: requirement(rule) for rule in requirements.values()},
        "events": _events(events),
        "results": told,
    }


def _events(events: Events) -> Sequence[Json]:
    """Return the events as JSON, with the kit in place of the client as sender or receiver."""
    told = (Table("event", {"event": each}).table("event").values for each in events.distinct())
    return [{**each, **{key: _acting(each[key]) for key in ("who", "to")}} for each in told]


def _acting(who: Json) -> Json:
    return KIT if who == CLIENT else who


def _groups(
    found: Sequence[CaseResult], tallies: Mapping[str, Tally], outcome: Outcome
) -> Sequence[Json]:
    """Group the unjudged cases by missing control command or, if none is missing, by reason."""
    reasons: dict[tuple[str, str], list[CaseResult]] = {}
    for result in found:
        if result.verdict is Verdict.NOT_APPLICABLE:
            for key in _missing(result, outcome):
                reasons.setdefault(key, []).append(result)
    ordered = sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0]))
    return [
        {
            "name": name,
            "why": shortened(outcome.target.hide(why), LONGEST_LINE),
            "cases": len({result.case.id for result in own}),
            "musts": list(unjudged_musts(own, tallies)),
        }
        for (name, why), own in ordered
    ]


def _missing(result: CaseResult, outcome: Outcome) -> Sequence[tuple[str, str]]:
    """Return what kept a case from being judged, as pairs of a name and an explanation."""
    if not result.lacking:
        return [("other", result.reason)]
    if not outcome.words:
        with_it = "the kit needs a control program (--control) to make the backend act on command"
        return [("control program", with_it)]
    return [(word, f"the control program does not declare `{word}`") for word in result.lacking]


def _notes(outcome: Outcome) -> Sequence[str]:
    notes = list(outcome.notes)
    if outcome.left:
        notes.append(
            f"the kit could not cancel {'one job' if len(outcome.left) == 1 else 'some jobs'}; "
            f"to cancel by hand, run: {'; '.join(outcome.left)}"
        )
    return [outcome.target.hide(note) for note in notes]
