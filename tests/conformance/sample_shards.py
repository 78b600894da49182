"""The shards of a small run of the kit's own cases, and what can be wrong with them."""

from collections.abc import Mapping
from functools import cache
from typing import Final

from attrs import evolve

from arkor_proto import __version__
from conformance.casefile.selection import select
from conformance.casefile.shards import Shard
from conformance.reports.run_json.pieces import part_of
from conformance.reports.run_json.saved import as_json
from conformance.runner.run import Outcome
from conformance.verdict.scope import Scope
from conformance.verdict.statuses import Verdict
from tests.conformance.catalogue import all_cases, all_rules
from tests.conformance.sample_run import identity, recorded, result

NAMES: Final = (
    *("shard-1.json", "shard-2.json", "whole.json", "cut-shard.json", "lacking.json"),
    *("overlapping.json", "of-three.json", "other-client.json", "other-kit.json"),
    "other-cases.json",
)
CASE: Final = "create.accepted"
PROFILES: Final = ("2026-05",)


def _text(shard: Shard | None) -> str:
    """Return a run, or a shard of it, in which the client passes everything."""
    chosen = select(all_cases(), [CASE])
    scope = Scope.of(all_cases(), chosen, PROFILES, shard=shard)
    passed = [
        evolve(result(Verdict.PASS, profile=profile), case=case)
        for profile in PROFILES
        for case in chosen
        if shard is None or shard.has(case.id)
    ]
    outcome = Outcome(identity=identity(), results=passed, seconds=1.0, total=len(passed))
    part = None
    if shard is not None:
        part = part_of(shard, scope, ids=[CASE], patterns=(), profiles=PROFILES, known=())
    return as_json(recorded(outcome, all_rules(), (), scope, part=part))


@cache
def shards() -> Mapping[str, str]:
    """Return the text of every file in NAMES."""
    first, second = _text(Shard(1, 2)), _text(Shard(2, 2))
    own, others = (
        next(line for line in text.splitlines() if line.startswith('{"case"')).rstrip(",")
        for text in (second, first)
    )
    digest = second.partition('"cases":"')[2].partition('"')[0]
    return {
        "shard-1.json": first,
        "shard-2.json": second,
        "whole.json": _text(None),
        "cut-shard.json": first[:300],
        "lacking.json": second.replace(f"{own},\n", "").replace(own, ""),
        "overlapping.json": second.replace(own, f"{own},\n{others}"),
        "of-three.json": second.replace('"of":2', '"of":3'),
        "other-client.json": second.replace('"probe"', '"otherlib"'),
        "other-kit.json": first.replace(f'"kit": "{__version__}"', '"kit": "0.0.9"'),
        "other-cases.json": first.replace(digest, "0f" * 32),
    }
