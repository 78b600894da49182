"""Why the mock cannot be imported here, in a line; needs nothing itself."""

import sys

_EXTRA = {"anyio", "attr", "attrs", "h11"}


def missing(error: ImportError) -> str | None:
    """Say what an import of the mock failed for; None for an error of another kind."""
    name = (error.name or "").partition(".")[0]
    if name == "fcntl" or (not name and "fcntl" in str(error)):
        return f"the mock needs sockets as Linux has them, and cannot work on {sys.platform}"
    if name in _EXTRA:
        return f"{name} is not installed; pip install 'arkor-proto[mock]'"
    return None
