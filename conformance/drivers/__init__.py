"""Drivers that the kit brings: of the reference client, of a client in JavaScript, of the SDK."""

import sys


def own(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command of one of the kit's own drivers, `drivers.python.reference` for example.

    With `-P` nothing is imported from the current directory, where a file of the user's may have
    the name of a module that the driver needs.
    """
    return (sys.executable, "-P", "-m", f"conformance.{module}", *arguments)
