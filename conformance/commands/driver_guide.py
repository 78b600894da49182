"""The path of the driver guide, which several commands mention."""

from pathlib import Path

from conformance.casefile.requirements import specification_directory


def guide() -> Path:
    """Return the path of the guide in the source checkout, or else in the installed package."""
    here = Path("spec", "driver-guide.md")
    return here if here.is_file() else specification_directory() / here.name
