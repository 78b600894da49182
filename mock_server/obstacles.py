"""Explain in one line why the mock cannot be imported here; imports nothing but `sys`."""

import sys

_EXTRA = {"anyio", "attr", "attrs", "h11"}


def missing(error: ImportError) -> str | None:
    """Explain why importing the mock failed; None if the error has another cause."""
    name = (error.name or "").partition(".")[0]
    if name == "fcntl" or (not name and "fcntl" in str(error)):
        return f"the mock needs Linux sockets and does not work on {sys.platform}"
    if name in _EXTRA:
        return f"{name} is not installed; pip install 'arkor-proto[mock]'"
    return None
