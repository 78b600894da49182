"""Where the commands `arkor-mock` and `arkor-conformance` begin.

A module of its own, beside the packages: it has to run where a file of the user's hides one of
them, to say so in one line.
"""

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

NOT_STARTED = 3
"""The exit status when a command cannot run here at all."""
# A file that only our package of this name has.
_MARKS = {
    "arkor_proto": "_sse.py",
    "mock_server": "mitm/addon.py",
    "conformance": "drive/protocol.py",
}


def mock() -> int:
    """Run `arkor-mock`; returns its exit status."""
    if hidden := hiding("arkor_proto", "mock_server"):
        return _refuse("arkor-mock", hidden)
    from mock_server.__main__ import main  # noqa: PLC0415 - see above

    return main()


def conformance() -> int:
    """Run `arkor-conformance`, which ends the process; returns a status when it cannot."""
    if hidden := hiding("arkor_proto", "mock_server", "conformance"):
        return _refuse("arkor-conformance", hidden)
    from conformance.__main__ import main  # noqa: PLC0415 - see above

    main()
    return 0


def _refuse(command: str, why: str) -> int:
    sys.stderr.write(f"{command}: {why}\n")
    return NOT_STARTED


def hiding(*packages: str) -> str | None:
    """Say which file or directory of the user's hides one of our packages, if one does."""
    for package in packages:
        where = _found(package)
        if where and not any(_is_ours(place, package) for place in where[1]):
            return (
                f"{where[0]} hides the package {package!r} of arkor-proto; rename it, or start "
                "where it is not found first"
            )
    return None


def _is_ours(place: Path, package: str) -> bool:
    """Tell whether a package is ours by its place; one that is in an archive cannot be looked at."""
    return (place / _MARKS[package]).exists() or not place.is_dir()


def _found(package: str) -> tuple[str, Sequence[Path]] | None:
    """Return where Python finds a package, and the directories that it is made of."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):  # a module without a spec was put into sys.modules
        module = sys.modules.get(package)
        origin = getattr(module, "__file__", None)
        return (str(origin), []) if origin else None
    if spec is None:
        return None
    places = [Path(place) for place in spec.submodule_search_locations or ()]
    origin = spec.origin or (str(places[0]) if places else package)
    return origin.removesuffix("__init__.py"), places
