"""Mutants: clients with one planted fault each. They test whether the kit finds the fault.

A mutant is the real core with one thing changed. It lists the requirements that it breaks; the
cases that judge those requirements must catch it.
"""

from conformance.mutants.families import (
    abort,
    asking,
    backoff,
    benign,
    budget,
    callbacks,
    calls,
    cancel,
    create,
    cursor,
    errors,
    events,
    floor,
    idle,
    redirects,
    resume,
    sse,
    stream,
    values,
    wire,
)
from conformance.mutants.patching import Mutant, mutants_in

__all__ = ["Mutant", "all_mutants", "benign_variants"]


def all_mutants() -> tuple[Mutant, ...]:
    """Return every mutant, family by family."""
    families = (
        create,
        wire,
        redirects,
        stream,
        asking,
        idle,
        resume,
        cursor,
        backoff,
        floor,
        budget,
        errors,
        sse,
        events,
        values,
        callbacks,
        cancel,
        abort,
        calls,
    )
    return tuple(mutant for family in families for mutant in mutants_in(family))


def benign_variants() -> tuple[Mutant, ...]:
    """Return the variants of the core that behave differently but break no rule."""
    return mutants_in(benign)
