"""The path of the driver guide, for the commands that mention it."""

from pathlib import Path

from conformance.casefile.requirements import specification_directory


def guide() -> Path:
    """Return the guide's path in the current source checkout, or else in the installed package."""
    here = Path("spec", "driver-guide.md")
    return here if here.is_file() else specification_directory() / here.name
