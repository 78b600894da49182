"""The drivers that come with the kit: for the reference client, the SDK and other clients."""

import sys


def own(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that starts one of the kit's drivers, such as `drivers.python.reference`.

    With `-P`, Python does not import from the current directory, where one of the user's files
    may have the same name as a module that the driver needs.
    """
    return (sys.executable, "-P", "-m", f"conformance.{module}", *arguments)
