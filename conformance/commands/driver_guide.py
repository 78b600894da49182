"""Where the driver guide is, for the commands that point to it."""

from pathlib import Path

from conformance.casefile.requirements import specification_directory


def guide() -> Path:
    """Return the guide in the checkout that this is run in, or else the one that is installed."""
    here = Path("spec", "driver-guide.md")
    return here if here.is_file() else specification_directory() / here.name
