"""The rules and all cases of the kit, read once: no test changes them."""

from collections.abc import Mapping
from functools import cache

from conformance.casefile.loader import load_cases
from conformance.casefile.model import Case
from conformance.casefile.requirements import Requirement, load_requirements


@cache
def all_rules() -> Mapping[str, Requirement]:
    """Return every rule of the specification, by its id."""
    return load_requirements()


@cache
def all_cases() -> tuple[Case, ...]:
    """Return every case of the kit; reading them takes most of a second."""
    return load_cases(all_rules())
