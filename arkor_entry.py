"""The entry points of the commands `arkor-mock` and `arkor-conformance`.

This module is outside the packages, so that it still runs, and reports the problem in one line, if
a user's file hides one of them.
"""

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

NOT_STARTED = 3
"""The exit status of a command that cannot start."""
# For each package, a file that only our package of this name has.
_MARKS = {
    "arkor_proto": "_sse.py",
    "mock_server": "mitm/addon.py",
    "conformance": "drive/protocol.py",
}


def mock() -> int:
    """Run `arkor-mock` and return its exit status."""
    if hidden := hiding("arkor_proto", "mock_server"):
        return _refuse("arkor-mock", hidden)
    from mock_server.__main__ import main  # noqa: PLC0415 - only if nothing hides it

    return main()


def conformance() -> int:
    """Run `arkor-conformance`, which ends the process; return a status only if it cannot start."""
    if hidden := hiding("arkor_proto", "mock_server", "conformance"):
        return _refuse("arkor-conformance", hidden)
    from conformance.__main__ import main  # noqa: PLC0415 - only if nothing hides it

    main()
    return 0


def _refuse(command: str, why: str) -> int:
    sys.stderr.write(f"{command}: {why}\n")
    return NOT_STARTED


def hiding(*packages: str) -> str | None:
    """Return a message if a user's file or directory hides one of our packages, else None."""
    for package in packages:
        where = _found(package)
        if where and not any(_is_ours(place, package) for place in where[1]):
            return (
                f"{where[0]} hides the package {package!r} of arkor-proto; rename it, or run the "
                "command from another directory"
            )
    return None


def _is_ours(place: Path, package: str) -> bool:
    """Return whether the package at `place` is ours; one in an archive is assumed to be."""
    return (place / _MARKS[package]).exists() or not place.is_dir()


def _found(package: str) -> tuple[str, Sequence[Path]] | None:
    """Return the file or directory where Python finds a package, and the package's directories."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):  # sys.modules has a module without a spec
        module = sys.modules.get(package)
        origin = getattr(module, "__file__", None)
        return (str(origin), []) if origin else None
    if spec is None:
        return None
    places = [Path(place) for place in spec.submodule_search_locations or ()]
    origin = spec.origin or (str(places[0]) if places else package)
    return origin.removesuffix("__init__.py"), places
