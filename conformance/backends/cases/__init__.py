"""The cases that judge a backend: one file per family, except `resume`.

That family is split into three files: `resume`, `handoff` and `restart`.
"""

from collections.abc import Mapping

from conformance.backends.cases import (
    cancel,
    create,
    end,
    handoff,
    isolation,
    limits,
    order,
    restart,
    resume,
    stream,
)
from conformance.backends.declare import BackendCase, declared

_FAMILIES = (create, stream, order, resume, handoff, restart, end, cancel, isolation, limits)


def backend_cases() -> Mapping[str, BackendCase]:
    """Return every case for backends, by id."""
    assert all(each.__name__.startswith(__name__) for each in _FAMILIES)
    return declared()
