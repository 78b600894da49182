"""Read the rules for backends, which are in a separate file from those for clients."""

from collections.abc import Mapping

from conformance.casefile.requirements import (
    Requirement,
    load_requirements,
    specification_directory,
)

FILE = "backend-requirements.toml"


def backend_requirements() -> Mapping[str, Requirement]:
    """Return the requirements for backends by id; raise ReadingError if their file is invalid."""
    return load_requirements(specification_directory() / FILE)
