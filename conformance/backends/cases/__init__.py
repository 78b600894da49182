"""The cases that judge a backend, one file per family."""

from collections.abc import Mapping

from conformance.backends.cases import cancel, create, end, isolation, limits, order, resume, stream
from conformance.backends.declare import BackendCase, declared

_FAMILIES = (create, stream, order, resume, end, cancel, isolation, limits)


def backend_cases() -> Mapping[str, BackendCase]:
    """Return every case for backends, by id."""
    assert all(each.__name__.startswith(__name__) for each in _FAMILIES)
    return declared()
