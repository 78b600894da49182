"""The scope of a run: the version of the specification, the cases, and how many are played.

Every report shows all three, so that runs can be compared and a partial run or a shard does not
look like a full run. `--spec` pins a version, so that a newer kit plays the same cases as an older
kit.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Final

from attrs import field, frozen

from conformance.casefile.model import Case
from conformance.casefile.requirements import (
    PROFILE_NAMES,
    Requirement,
    is_newer,
    specification_version,
    version_parts,
)
from conformance.casefile.shards import WHOLE, Shard
from conformance.strict_data import UsageError

_SHOWN: Final = 12


@frozen(kw_only=True)
class Scope:
    """The scope of a run; `digest` is a hash of all cases of the version, chosen or not."""

    version: str
    """The version of the specification that the client is judged against."""
    digest: str
    chosen: Mapping[str, int] = field(factory=dict[str, int])
    """The number of cases to play, by profile."""
    total: Mapping[str, int] = field(factory=dict[str, int])
    """The total number of cases, by profile."""
    files: tuple[str, ...] = ()
    """The files given with `--file`, which replace the kit's own cases."""
    strict: bool = False
    shard: Shard | None = None
    selected: Mapping[str, int] = field(factory=dict[str, int])
    """The number of cases in all shards together, by profile; empty if the run is not sharded."""

    @classmethod
    def of(
        cls,
        catalogue: Sequence[Case],
        chosen: Sequence[Case],
        profiles: Sequence[str] = PROFILE_NAMES,
        version: str | None = None,
        *,
        strict: bool = False,
        shard: Shard | None = None,
    ) -> "Scope":
        """Describe a run of the chosen cases, or of one shard of them, out of the catalogue."""
        ours = (shard or WHOLE).part(chosen, lambda case: case.id)
        return cls(
            version=version or specification_version(),
            digest=digest(catalogue),
            chosen=_counted(ours, profiles),
            total=_counted(catalogue, profiles),
            files=tuple(dict.fromkeys(case.file for case in catalogue if case.file)),
            strict=strict,
            shard=shard,
            selected={} if shard is None else _counted(chosen, profiles),
        )

    def narrowed(self, profile: str) -> bool:
        """Return whether the run leaves out any of the kit's cases for a profile."""
        return bool(self.files) or self.chosen.get(profile, 0) < self.total.get(profile, 0)

    def __str__(self) -> str:
        strict = ", proposals count" if self.strict else ""
        shard = f", {self.shard}" if self.shard is not None else ""
        return f"specification {self.version}, cases {self.digest[:_SHOWN]}{strict}{shard}"


def digest(cases: Sequence[Case]) -> str:
    """Return the SHA-256, in hexadecimal, of the cases written as canonical JSON.

    The order of the cases and of their keys does not matter.
    """
    sources = [dict(case.source) for case in sorted(cases, key=lambda case: case.id)]
    text = json.dumps(sources, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def check_version(
    version: str, requirements: Mapping[str, Requirement], cases: Sequence[Case]
) -> None:
    """Raise UsageError if this version of the specification never existed."""
    known = {specification_version()}
    known |= {rule.since for rule in requirements.values()} | {case.since for case in cases}
    if version not in known:
        names = ", ".join(sorted(known, key=version_parts))
        raise UsageError("--spec", f"no version {version!r}; the versions are {names}")


def pinned(
    version: str, requirements: Mapping[str, Requirement], cases: Sequence[Case]
) -> tuple[Case, ...]:
    """Return the cases that existed in `version` and whose rules had all been added by then."""
    return tuple(
        case
        for case in cases
        if not is_newer(case.since, version)
        and not any(is_newer(requirements[rule].since, version) for rule in case.requires)
    )


def _counted(cases: Sequence[Case], profiles: Sequence[str]) -> Mapping[str, int]:
    return {name: sum(name in case.profiles for case in cases) for name in profiles}
