"""Drivers in Python: the plumbing of any, and those of the reference client and of broken ones."""

import sys


def own(name: str, *arguments: str) -> tuple[str, ...]:
    """Return the command of one of the kit's own drivers.

    With `-P` nothing is imported from the current directory, where a file of the user's may have
    the name of a module that the driver needs.
    """
    return (sys.executable, "-P", "-m", f"conformance.drivers.{name}", *arguments)
