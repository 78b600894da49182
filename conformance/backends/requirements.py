"""The rules of a backend, beside those of a client."""

from collections.abc import Mapping

from conformance.casefile.requirements import (
    Requirement,
    load_requirements,
    specification_directory,
)

FILE = "backend-requirements.toml"


def backend_requirements() -> Mapping[str, Requirement]:
    """Read the requirements of a backend by id; raises ReadingError."""
    return load_requirements(specification_directory() / FILE)
